        -- Leads that nobody has contacted, and until when somebody should.
        select *, contact_due_at as due_at
        from lead
        where first_contact_at is null and reassigned_at is null and excluded_at is null and rejected_at is null
