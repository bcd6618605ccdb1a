-- Whether the quiet hours in r, preferences, keep notifications back now.
coalesce((SELECT CASE WHEN r.quiet_from < r.quiet_until THEN z.now >= r.quiet_from AND z.now < r.quiet_until
                      ELSE z.now >= r.quiet_from OR z.now < r.quiet_until END
            FROM (SELECT (clock_timestamp() AT TIME ZONE r.time_zone)::time AS now
                   WHERE r.quiet_from IS NOT NULL) z), false)
