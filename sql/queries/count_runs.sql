-- What the runs with numbers above $1, up to $2, came to, as counters of signal_metrics. The view asks by a
-- function, which its readers may call; the library itself, as the owner of the tables.
WITH runs AS (
    SELECT r.* FROM @extschema@.signal_runs r
     WHERE r.run_id > coalesce($1, 0) AND r.run_id <= $2
), bounds AS (
    SELECT b.le, b.place
      FROM unnest('{0.001,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10,30,60,300}'::numeric[])
           WITH ORDINALITY AS b (le, place)
), stages AS (
    SELECT s.stage FROM (VALUES ('fetch'), ('judge'), ('record'), ('deliver')) AS s (stage)
), counted AS (
    SELECT s.stage, width_bucket(s.ms / 1000, (SELECT array_agg(b.le::double precision ORDER BY b.place)
                                                 FROM bounds b)) AS place,
           count(*) AS number, sum(s.ms) / 1000 AS seconds
      FROM runs r
     CROSS JOIN LATERAL (VALUES ('fetch', r.fetch_ms), ('judge', r.judge_ms), ('record', r.record_ms),
                                ('deliver', r.deliver_ms)) AS s (stage, ms)
     WHERE s.ms IS NOT NULL
     GROUP BY 1, 2
)
SELECT 'signal_hub_runs_total' AS name, jsonb_build_object('status', s.status) AS labels,
       count(r.run_id)::double precision AS value
  FROM (VALUES ('ok'), ('failed'), ('skipped')) AS s (status)
  LEFT JOIN runs r ON r.status = s.status
 GROUP BY s.status
 UNION ALL
SELECT c.name, '{}', coalesce(c.value, 0)
  FROM (SELECT sum(r.signals_generated) AS signals, sum(r.deliveries) AS deliveries,
               sum(r.delivery_failures) AS failures FROM runs r) t
 CROSS JOIN LATERAL (VALUES ('signal_hub_signals_total', t.signals),
                            ('signal_hub_deliveries_total', t.deliveries),
                            ('signal_hub_delivery_failures_total', t.failures)) AS c (name, value)
 UNION ALL
SELECT 'signal_hub_run_stage_seconds_bucket', jsonb_build_object('stage', s.stage, 'le', b.le::text),
       coalesce(sum(c.number) FILTER (WHERE c.place < b.place), 0)
  FROM stages s CROSS JOIN bounds b LEFT JOIN counted c ON c.stage = s.stage
 GROUP BY s.stage, b.le, b.place
 UNION ALL
SELECT 'signal_hub_run_stage_seconds' || c.part, jsonb_build_object('stage', t.stage) || c.le,
       coalesce(c.value, 0)
  FROM (SELECT s.stage, sum(c.number)::double precision AS number, sum(c.seconds) AS seconds
          FROM stages s LEFT JOIN counted c ON c.stage = s.stage GROUP BY s.stage) t
 CROSS JOIN LATERAL (VALUES ('_bucket', '{"le": "+Inf"}'::jsonb, t.number), ('_sum', '{}', t.seconds),
                            ('_count', '{}', t.number)) AS c (part, le, value)
