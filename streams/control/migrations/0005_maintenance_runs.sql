-- Replays and backups: what an operator started or the schedule did, how far it is, and what came of it. Concerns no single tenant: only the platform sees it.

CREATE TABLE maintenance_runs (
  id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('replay', 'backup')),
  state text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled', 'interrupted')),
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  -- Request, progress and report, validated by the program.
  document jsonb NOT NULL
);
CREATE INDEX maintenance_runs_newest ON maintenance_runs (kind, started_at DESC);
-- One at a time, whatever process asks.
CREATE UNIQUE INDEX maintenance_runs_one ON maintenance_runs (kind) WHERE state = 'running';

ALTER TABLE maintenance_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE maintenance_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY by_platform ON maintenance_runs TO pulse_reader, pulse_writer
  USING (pulse_scope() = 'global') WITH CHECK (pulse_scope() = 'global');
GRANT SELECT ON maintenance_runs TO pulse_reader, pulse_writer;
GRANT INSERT, UPDATE ON maintenance_runs TO pulse_writer;

-- A backup reads how far each identity has counted: a number that was given once is never given again, also when its row is gone.
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO pulse_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO pulse_reader;
