-- A source that gives the deadlines itself, or a lead without any by now: nothing here moves them any more.
delete from lead_clock c
using intake_staged s
where s.source_system = c.source_system and s.source_id = c.source_id
  and not exists (select from lead_reckoned r where r.line = s.line)
  and not exists (select from lead_kept k where k.line = s.line)
