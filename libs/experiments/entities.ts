import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';

/**
 * The tables of `migrations/`, as TypeORM reads them. A bigint is text here, as it comes from the driver; no column is
 * made from these classes: a test compares them with what the migrations made.
 */

export const RUN_STATES = ['PENDING', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export type RunState = (typeof RUN_STATES)[number];
export type RunEventKind = 'run' | 'metrics' | 'checkpoint' | 'warning';

@Entity('run', { comment: 'Runs of every kind, and the queue they wait in.' })
@Check('run_state_check', `state in ('PENDING', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED')`)
@Check('run_lease_check', `(state in ('RUNNING', 'CANCELLING')) = (lease_until is not null)`)
@Index('run_request_id', ['requestId'], { unique: true, where: 'request_id is not null' })
@Index('run_group_name', ['groupName', 'id'])
@Index('run_queue', ['notBefore', 'id'], { where: `state in ('PENDING', 'RUNNING', 'CANCELLING')` })
export class RunRow {
  @PrimaryColumn('uuid', {
    primaryKeyConstraintName: 'run_pkey',
    comment: 'UUID of version 7: later runs have greater ids.',
  })
  id!: string;

  @Column('text', { comment: 'What does the work: pretraining.' })
  kind!: string;

  @Column('text', {
    name: 'request_id',
    nullable: true,
    comment: 'Made by the client; a retry with the same one makes no second run.',
  })
  requestId!: string | null;

  @Column('text', {
    name: 'request_hash',
    nullable: true,
    comment: 'SHA-256 of the request, to tell a retry from another request with the same id.',
  })
  requestHash!: string | null;

  @Column('text', { default: '' })
  name!: string;

  @Column('text', { name: 'group_name', default: '' })
  groupName!: string;

  @Column('text', { default: 'PENDING' })
  state!: RunState;

  @Column('text')
  recipe!: string;

  @Column('jsonb', { name: 'recipe_spec', comment: 'The recipe as resolved: every option with its value.' })
  recipeSpec!: unknown;

  @Column('text', { comment: 'Folder of images on the machine of the service.' })
  images!: string;

  @Column('bigint', { default: 0 })
  seed!: string;

  @Column('bigint', { default: 0, comment: 'Steps completed.' })
  step!: string;

  @Column('bigint', { name: 'total_steps', default: 0, comment: 'Steps in all; 0 until known.' })
  totalSteps!: string;

  @Column('integer', { default: 0, comment: 'Times it was started.' })
  attempt!: number;

  @Column('text', { default: '', comment: 'Why it failed, one sentence; empty otherwise.' })
  error!: string;

  @Column('timestamptz', { name: 'create_time', default: () => 'now()' })
  createTime!: Date;

  @Column('timestamptz', { name: 'start_time', nullable: true })
  startTime!: Date | null;

  @Column('timestamptz', { name: 'end_time', nullable: true })
  endTime!: Date | null;

  @Column('bigint', {
    default: 0,
    comment: 'Grows with every claim; what a worker writes must carry the value it claimed with.',
  })
  fence!: string;

  @Column('text', {
    nullable: true,
    comment: 'The process that works on it: host, boot, process id and its start.',
  })
  owner!: string | null;

  @Column('timestamptz', {
    name: 'lease_until',
    nullable: true,
    comment: 'When the owner counts as dead, unless it beats before.',
  })
  leaseUntil!: Date | null;

  @Column('timestamptz', {
    name: 'not_before',
    default: () => 'now()',
    comment: 'When it may be claimed: later than now after a failure.',
  })
  notBefore!: Date;

  @Column('integer', { default: 0, comment: 'Failures in a row without a new checkpoint between them.' })
  failures!: number;

  @Column('bigint', {
    default: 0,
    comment: 'Batches written under this fence: a batch sent twice is written once.',
  })
  batch!: string;

  @Column('bigint', { name: 'last_sequence', default: 0, comment: 'Sequence number of the last event.' })
  lastSequence!: string;
}

@Entity('metric_key', { comment: 'Names of metric series, stored once: loss, loss/p4, accuracy/p4.' })
@Unique('metric_key_name', ['name'])
export class MetricKeyRow {
  @PrimaryColumn('integer', {
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'metric_key_pkey',
  })
  id!: number;

  @Column('text')
  name!: string;
}

@Entity('metric', { comment: 'Points of metric series; NaN and infinities are stored as such.' })
export class MetricRow {
  @PrimaryColumn('uuid', { name: 'run_id', primaryKeyConstraintName: 'metric_pkey' })
  @ForeignKey(() => RunRow, { name: 'metric_run_id_fkey', onDelete: 'CASCADE' })
  runId!: string;

  @PrimaryColumn('integer', { name: 'key_id', primaryKeyConstraintName: 'metric_pkey' })
  @ForeignKey(() => MetricKeyRow, { name: 'metric_key_id_fkey' })
  keyId!: number;

  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'metric_pkey' })
  step!: string;

  @Column('double precision')
  value!: number;

  @Column('timestamptz', { comment: 'When the step was done.' })
  time!: Date;
}

@Entity('latest_metric', {
  comment: 'The newest point of each series, so that listing runs reads no series.',
})
export class LatestMetricRow {
  @PrimaryColumn('uuid', { name: 'run_id', primaryKeyConstraintName: 'latest_metric_pkey' })
  @ForeignKey(() => RunRow, { name: 'latest_metric_run_id_fkey', onDelete: 'CASCADE' })
  runId!: string;

  @PrimaryColumn('integer', { name: 'key_id', primaryKeyConstraintName: 'latest_metric_pkey' })
  @ForeignKey(() => MetricKeyRow, { name: 'latest_metric_key_id_fkey' })
  keyId!: number;

  @Column('bigint')
  step!: string;

  @Column('double precision')
  value!: number;
}

@Entity('checkpoint', {
  comment: 'Checkpoints that are durable on disk; a row is written only after its files are.',
})
@Unique('checkpoint_run_id_step', ['runId', 'step'])
@Check('checkpoint_state_check', `state in ('AVAILABLE', 'LOST')`)
export class CheckpointRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'checkpoint_pkey' })
  id!: string;

  @Column('uuid', { name: 'run_id' })
  @ForeignKey(() => RunRow, { name: 'checkpoint_run_id_fkey', onDelete: 'CASCADE' })
  runId!: string;

  @Column('bigint', { comment: 'Steps completed when it was written.' })
  step!: string;

  @Column('integer')
  epoch!: number;

  @Column('text', { comment: 'Folder with model.safetensors, state.safetensors and checkpoint.json.' })
  path!: string;

  @Column('text', { comment: 'SHA-256 of model.safetensors, lower-case hex.' })
  sha256!: string;

  @Column('bigint', { name: 'size_bytes' })
  sizeBytes!: string;

  @Column('text', { default: 'AVAILABLE', comment: 'LOST when its files were found to be gone.' })
  state!: 'AVAILABLE' | 'LOST';

  @Column('timestamptz', { name: 'create_time', default: () => 'now()' })
  createTime!: Date;
}

@Entity('run_event', {
  comment: 'What happened to a run, in the order of its sequence: what watchers are sent.',
})
@Check('run_event_kind_check', `kind in ('run', 'metrics', 'checkpoint', 'warning')`)
export class RunEventRow {
  @PrimaryColumn('uuid', { name: 'run_id', primaryKeyConstraintName: 'run_event_pkey' })
  @ForeignKey(() => RunRow, { name: 'run_event_run_id_fkey', onDelete: 'CASCADE' })
  runId!: string;

  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'run_event_pkey' })
  sequence!: string;

  @Column('timestamptz', { default: () => 'now()' })
  time!: Date;

  @Column('text')
  kind!: RunEventKind;

  @Column('bigint', { nullable: true, comment: 'Of metrics: the step, whose values stand in metric.' })
  step!: string | null;

  @Column('jsonb', {
    nullable: true,
    comment: 'Of a run: what its state was; of a checkpoint: its id; of a warning: its text.',
  })
  payload!: unknown;
}

export const entities = [RunRow, MetricKeyRow, MetricRow, LatestMetricRow, CheckpointRow, RunEventRow];
