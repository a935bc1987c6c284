-- All that is counted for the checks of one metric, as one statement: each of the files beside it, and how far the facts
-- reach, in rows of one kind. store/quality.py fills them in; $4 as of.
select 'newest' as what, group_no, source_system as source, through as day, null::timestamptz as moment, names,
       array[partners, heard, silent]::float8[] as numbers
from (:newest) as newest
union all
select 'left', group_no, null, null, null, null, array[partners]::float8[] from (:left) as gone
union all
select 'restated', group_no, null, null, null, names, array[facts]::float8[] from (:restated) as restated
union all
select 'twice', group_no, null, null, null, names, array[facts]::float8[] from (:twice) as twice
union all
select 'volumes', null, source_system, through, null, null, array[period, facts, fresh]::float8[]
from (:volumes) as volumes
union all
select 'through', null, null, null, (:through), null, null
