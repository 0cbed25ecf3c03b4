import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Runs and their queue, metric series, checkpoints, and the events that watchers follow. */
export class Runs1764000000000 implements MigrationInterface {
  readonly name = 'Runs1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(UP);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop table run_event, checkpoint, latest_metric, metric, metric_key, run;
    `);
  }
}

const UP = `
create table run (
  id uuid constraint run_pkey primary key,
  kind text not null,
  request_id text,
  request_hash text,
  name text not null default '',
  group_name text not null default '',
  state text not null default 'PENDING',
  recipe text not null,
  recipe_spec jsonb not null,
  images text not null,
  seed bigint not null default 0,
  step bigint not null default 0,
  total_steps bigint not null default 0,
  attempt integer not null default 0,
  error text not null default '',
  create_time timestamptz not null default now(),
  start_time timestamptz,
  end_time timestamptz,
  fence bigint not null default 0,
  owner text,
  lease_until timestamptz,
  not_before timestamptz not null default now(),
  failures integer not null default 0,
  batch bigint not null default 0,
  last_sequence bigint not null default 0,
  constraint run_state_check
    check (state in ('PENDING', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
  constraint run_lease_check
    check ((state in ('RUNNING', 'CANCELLING')) = (lease_until is not null))
);
create unique index run_request_id on run (request_id) where request_id is not null;
create index run_group_name on run (group_name, id);
-- Ended runs, which are nearly all of them, are not in the index that claiming scans.
create index run_queue on run (not_before, id) where state in ('PENDING', 'RUNNING', 'CANCELLING');

comment on table run is 'Runs of every kind, and the queue they wait in.';
comment on column run.id is 'UUID of version 7: later runs have greater ids.';
comment on column run.kind is 'What does the work: pretraining.';
comment on column run.request_id is 'Made by the client; a retry with the same one makes no second run.';
comment on column run.request_hash is 'SHA-256 of the request, to tell a retry from another request with the same id.';
comment on column run.recipe_spec is 'The recipe as resolved: every option with its value.';
comment on column run.images is 'Folder of images on the machine of the service.';
comment on column run.step is 'Steps completed.';
comment on column run.total_steps is 'Steps in all; 0 until known.';
comment on column run.attempt is 'Times it was started.';
comment on column run.error is 'Why it failed, one sentence; empty otherwise.';
comment on column run.fence is 'Grows with every claim; what a worker writes must carry the value it claimed with.';
comment on column run.owner is 'The process that works on it: host, boot, process id and its start.';
comment on column run.lease_until is 'When the owner counts as dead, unless it beats before.';
comment on column run.not_before is 'When it may be claimed: later than now after a failure.';
comment on column run.failures is 'Failures in a row without a new checkpoint between them.';
comment on column run.batch is 'Batches written under this fence: a batch sent twice is written once.';
comment on column run.last_sequence is 'Sequence number of the last event.';

create table metric_key (
  id integer generated always as identity constraint metric_key_pkey primary key,
  name text not null,
  constraint metric_key_name unique (name)
);
comment on table metric_key is 'Names of metric series, stored once: loss, loss/p4, accuracy/p4.';

create table metric (
  run_id uuid not null,
  key_id integer not null,
  step bigint not null,
  value double precision not null,
  time timestamptz not null,
  constraint metric_pkey primary key (run_id, key_id, step),
  constraint metric_run_id_fkey foreign key (run_id) references run (id) on delete cascade,
  constraint metric_key_id_fkey foreign key (key_id) references metric_key (id)
);
comment on table metric is 'Points of metric series; NaN and infinities are stored as such.';
comment on column metric.time is 'When the step was done.';

create table latest_metric (
  run_id uuid not null,
  key_id integer not null,
  step bigint not null,
  value double precision not null,
  constraint latest_metric_pkey primary key (run_id, key_id),
  constraint latest_metric_run_id_fkey foreign key (run_id) references run (id) on delete cascade,
  constraint latest_metric_key_id_fkey foreign key (key_id) references metric_key (id)
);
comment on table latest_metric is 'The newest point of each series, so that listing runs reads no series.';

create table checkpoint (
  id uuid constraint checkpoint_pkey primary key,
  run_id uuid not null,
  step bigint not null,
  epoch integer not null,
  path text not null,
  sha256 text not null,
  size_bytes bigint not null,
  state text not null default 'AVAILABLE',
  create_time timestamptz not null default now(),
  constraint checkpoint_run_id_step unique (run_id, step),
  constraint checkpoint_run_id_fkey foreign key (run_id) references run (id) on delete cascade,
  constraint checkpoint_state_check check (state in ('AVAILABLE', 'LOST'))
);
comment on table checkpoint is 'Checkpoints that are durable on disk; a row is written only after its files are.';
comment on column checkpoint.step is 'Steps completed when it was written.';
comment on column checkpoint.path is 'Folder with model.safetensors, state.safetensors and checkpoint.json.';
comment on column checkpoint.sha256 is 'SHA-256 of model.safetensors, lower-case hex.';
comment on column checkpoint.state is 'LOST when its files were found to be gone.';

create table run_event (
  run_id uuid not null,
  sequence bigint not null,
  time timestamptz not null default now(),
  kind text not null,
  step bigint,
  payload jsonb,
  constraint run_event_pkey primary key (run_id, sequence),
  constraint run_event_run_id_fkey foreign key (run_id) references run (id) on delete cascade,
  constraint run_event_kind_check check (kind in ('run', 'metrics', 'checkpoint', 'warning'))
);
comment on table run_event is 'What happened to a run, in the order of its sequence: what watchers are sent.';
comment on column run_event.step is 'Of metrics: the step, whose values stand in metric.';
comment on column run_event.payload is 'Of a run: what its state was; of a checkpoint: its id; of a warning: its text.';
`;
