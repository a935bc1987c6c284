-- A hundredth of leads and transactions says something else since a few days after it was first known.
update lead set amended_at = known_at + interval '4 days', contact_due_at = contact_due_at + interval '3 hours'
where substr(source_id, 2)::int % 100 = 0;

update partner_transaction set amended_at = known_at + interval '6 days', net_amount = net_amount * 0.9
where split_part(substr(source_id, 2), '-', 1)::int % 100 = 0;
