-- What reading many partners' facts at once needs; measured in bench/scale.py, weighed in docs/decisions/0013.

-- These answer by themselves, without a look at the table: a cohort's facts lie scattered over all of it.
drop index lead_by_partner, partner_transaction_by_partner;
create index lead_by_partner on lead (partner_id, assigned_at)
    include (contact_due_at, first_contact_at, first_contact_known_at, reassigned_at, reassigned_known_at, rejected_at,
             rejected_known_at, excluded_at, excluded_known_at, excluded_reason, known_at, amended_at, source_id);
create index partner_transaction_by_partner on partner_transaction (partner_id, transaction_date)
    include (net_amount, credit_share, attribution, currency, source_system, transaction_id, known_at, amended_at);

-- Whether a line is credited more than once is asked of every line of a window.
alter table partner_transaction drop constraint partner_transaction_source_system_transaction_id_partner_id_key;
alter table partner_transaction add constraint partner_transaction_source_system_transaction_id_partner_id_key
    unique (source_system, transaction_id, partner_id) include (credit_share, attribution, known_at, amended_at);
create index on superseded.partner_transaction (source_system, transaction_id);

-- Whether anything is known of a partner's rebates at all.
create index partner_cost_rebated on partner_cost (partner_id) include (known_at, amended_at) where kind = 'rebate';

-- Closes that were undone only later than a moment: hardly any, for a moment that is not long ago.
create index opportunity_reopening_undone on opportunity_reopening (greatest(reopened_at, reopened_known_at));
