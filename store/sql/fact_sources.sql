-- Every source that ever brought a fact, by file or by event. No parameters.
select source from intake_run
union
select source_system from fact_day
union
select source_system from fact_subject where source_system <> ''
