        -- Leads that nobody has answered, and until when somebody should.
        select *, accept_due_at as due_at
        from lead
        where first_contact_at is null and reassigned_at is null and excluded_at is null and rejected_at is null
          and accepted_at is null
