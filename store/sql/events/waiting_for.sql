-- Facts that wait for an event of this type, whether it is of their own or of another one. $1 the type.
select source_system, kind, subject from fact_subject where waits_for = $1
