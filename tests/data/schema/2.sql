-- Every statement on the database that the program of schema 2 ran, as it ran it. With schema 3
-- they must still run: whoever goes back a version takes the file along.
INSERT INTO feed (name, source) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET source = ?2, etag
  = NULL, last_modified = NULL WHERE source <> ?2;
SELECT id, etag, last_modified, checked_at, skipped, skipped_reasons, warnings, (SELECT count(*)
  FROM component WHERE feed = feed.id AND kind = ?2) FROM feed WHERE name = ?1;
SELECT name FROM feed;
DELETE FROM occurrence WHERE component IN (SELECT id FROM component WHERE feed = (SELECT id FROM
  feed WHERE name = ?1));
DELETE FROM component WHERE feed = (SELECT id FROM feed WHERE name = ?1);
DELETE FROM feed WHERE name = ?1;
UPDATE feed SET checked_at = ?2 WHERE id = ?1;
SELECT count(*) FROM component WHERE feed = ?1 AND kind = ?2;
SELECT window_start, window_end FROM feed WHERE id = ?1;
UPDATE feed SET window_start = ?2, window_end = ?3, default_zone = ?4 WHERE id = ?1 AND
  (window_start, window_end, default_zone) <> (?2, ?3, ?4);
UPDATE feed SET zone = ?2 WHERE id = ?1 AND zone IS NOT ?2;
UPDATE feed SET etag = ?2, last_modified = ?3, skipped = ?4, skipped_reasons = ?5, checked_at = ?6
  WHERE id = ?1 AND (etag IS NOT ?2 OR last_modified IS NOT ?3 OR skipped <> ?4 OR skipped_reasons
  <> ?5 OR checked_at IS NULL);
SELECT zone FROM feed WHERE id = ?1;
SELECT text FROM component WHERE feed = ?1 AND kind = ?2;
SELECT start, component, recurrence, stop, form FROM occurrence WHERE component = ?1;
DELETE FROM occurrence WHERE start = ?1 AND component = ?2 AND recurrence = ?3;
INSERT INTO occurrence (start, component, recurrence, stop, form) VALUES (?1, ?2, ?3, ?4, ?5);
DELETE FROM main.occurrence WHERE component = ?1;
DELETE FROM main.component WHERE id = ?1;
SELECT warnings FROM feed WHERE id = ?1;
UPDATE feed SET warnings = ?2 WHERE id = ?1 AND warnings <> ?2;
SELECT o.start, o.component, o.recurrence, o.stop, o.form, c.uid, c.text, f.name, f.source FROM
  occurrence AS o JOIN component AS c ON c.id = o.component JOIN feed AS f ON f.id = c.feed WHERE
  o.start < ?2 + ?3 * (o.form <> 0) AND (o.stop > ?1 - ?3 * (o.form <> 0) OR o.start >= ?1 - ?3 *
  (o.form <> 0)) AND o.start < ?2 + ?3 AND (?4 IS NULL OR f.name = ?4) ORDER BY o.start;
