-- Every statement on the database that the program of schema 3 ran, as it ran it. With schema 4
-- they must still run: whoever goes back a version takes the file along.
INSERT INTO feed (name, source) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING;
SELECT id, iif(source = ?3, etag, NULL), iif(source = ?3, last_modified, NULL), checked_at, skipped,
  skipped_reasons, warnings, (SELECT count(*) FROM component WHERE feed = feed.id AND kind = ?2),
  (SELECT count(*) FROM truncated WHERE feed = feed.id), source FROM feed WHERE name = ?1;
SELECT name FROM feed;
DELETE FROM occurrence WHERE component IN (SELECT id FROM component WHERE feed = (SELECT id FROM
  feed WHERE name = ?1));
DELETE FROM component WHERE feed = (SELECT id FROM feed WHERE name = ?1);
DELETE FROM truncated WHERE feed = (SELECT id FROM feed WHERE name = ?1);
DELETE FROM feed WHERE name = ?1;
UPDATE feed SET checked_at = ?2 WHERE id = ?1;
SELECT count(*) FROM main.component WHERE feed = ?1;
SELECT id, kind FROM main.component AS old NOT INDEXED WHERE feed = ?1 AND id > ?2 ORDER BY id;
SELECT uid FROM main.component WHERE id = ?1;
DELETE FROM main.occurrence WHERE component = ?1;
DELETE FROM main.component WHERE id = ?1;
SELECT id FROM main.component WHERE feed = ?1 AND hash = ?2;
INSERT INTO main.component (feed, kind, uid, hash, text) VALUES (?1, ?2, ?3, ?4, ?5);
SELECT count(*), count(*) FILTER (WHERE c.uid NOT IN (SELECT uid FROM truncated)) FROM component AS
  c JOIN occurrence AS o ON o.component = c.id WHERE c.feed = ?1 AND c.kind = ?2;
SELECT id, uid, text FROM component WHERE feed = ?1 AND kind = ?2 ORDER BY uid, id;
SELECT start, component, recurrence, stop, form FROM occurrence WHERE component = ?1;
DELETE FROM occurrence WHERE start = ?1 AND component = ?2 AND recurrence = ?3;
INSERT INTO occurrence (start, component, recurrence, stop, form) VALUES (?1, ?2, ?3, ?4, ?5);
DELETE FROM truncated WHERE feed = ?1 AND NOT EXISTS (SELECT 1 FROM component AS c WHERE c.feed = ?1
  AND c.kind = ?2 AND c.uid = truncated.uid);
INSERT INTO truncated (feed, uid, reason) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET reason = ?3
  WHERE reason <> ?3;
DELETE FROM truncated WHERE feed = ?1 AND uid = ?2 AND ?3 IS NULL;
SELECT window_start, window_end FROM feed WHERE id = ?1;
UPDATE feed SET window_start = ?2, window_end = ?3, default_zone = ?4 WHERE id = ?1 AND
  (window_start, window_end, default_zone) <> (?2, ?3, ?4);
UPDATE feed SET zone = ?2 WHERE id = ?1 AND zone IS NOT ?2;
UPDATE feed SET etag = ?2, last_modified = ?3, skipped = ?4, skipped_reasons = ?5, checked_at =
  coalesce(?6, checked_at), source = ?8 WHERE id = ?1 AND (?7 OR source <> ?8 OR skipped <> ?4 OR
  skipped_reasons <> ?5 OR checked_at IS NULL AND ?6 IS NOT NULL OR coalesce(etag, last_modified) IS
  NULL AND coalesce(?2, ?3) IS NOT NULL);
SELECT zone FROM feed WHERE id = ?1;
SELECT text FROM component WHERE feed = ?1 AND kind = ?2;
SELECT count(*) FROM occurrence WHERE component IN (SELECT id FROM component WHERE feed = ?1 AND
  kind = ?2 AND uid = ?3);
SELECT uid, reason FROM truncated WHERE feed = ?1 AND (?2 IS NULL OR uid = ?2) ORDER BY uid LIMIT ?3;
SELECT warnings FROM feed WHERE id = ?1;
UPDATE feed SET warnings = ?2 WHERE id = ?1 AND warnings <> ?2;
SELECT start FROM occurrence WHERE start < ?1 ORDER BY start DESC LIMIT 1 OFFSET ?2;
SELECT o.start, o.component, o.recurrence, o.stop, o.form, c.uid, c.text, f.name, f.source FROM
  occurrence AS o JOIN component AS c ON c.id = o.component JOIN feed AS f ON f.id = c.feed WHERE
  o.start < ?2 + ?3 * (o.form <> 0) AND (o.stop > ?1 - ?3 * (o.form <> 0) OR o.start >= ?1 - ?3 *
  (o.form <> 0)) AND o.start < ?2 + ?3 AND o.start > ?4 ORDER BY o.start;
