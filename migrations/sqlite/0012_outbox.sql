-- What the outbox keeps besides: headers that readers filter by, the channel a message goes by (none for e-mail), the
-- summary that told of a mail which was held back, and what a refused mail's reader is stood in for.
ALTER TABLE mails ADD COLUMN headers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE mails ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE mails ADD COLUMN told_in TEXT;
CREATE INDEX mails_sent ON mails (recipient, sent_at) WHERE state = 'sent';
CREATE INDEX mails_held ON mails (recipient, position) WHERE state = 'held';
CREATE INDEX mails_by_time ON mails (created_at);
