-- The end of untrusted_code.sql for the library, which keeps the answer: the objections and, without
-- a message, what it depends on. It holds until one of these changes.
SELECT o.message, NULL::oid AS classid, NULL::oid AS objid FROM objection o
 UNION ALL
SELECT NULL, o.classid, o.objid FROM owned o
 UNION ALL
SELECT NULL, d.classid, d.objid
  FROM owner w
 CROSS JOIN LATERAL (
     SELECT o.owner FROM owned o WHERE o.owner IS NOT NULL
      UNION
     SELECT c.relowner FROM (SELECT o.oid FROM ours o UNION SELECT m.oid FROM member m) AS o (oid)
       JOIN pg_catalog.pg_class c ON c.oid = o.oid
      UNION
     SELECT w.oid) r (oid)
  JOIN pg_catalog.pg_roles a ON a.oid = r.oid
 CROSS JOIN LATERAL (
     SELECT 'pg_catalog.pg_authid'::pg_catalog.regclass::oid AS classid, r.oid AS objid
      UNION ALL
     SELECT 'pg_catalog.pg_auth_members'::pg_catalog.regclass, r.oid WHERE r.oid <> w.oid AND NOT a.rolsuper) d
 ORDER BY message
