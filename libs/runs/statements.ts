/**
 * The SQL of the queue. Every statement that a worker sends names the fence it claimed with, and touches no row when
 * another worker has claimed since: no row means that the lease is lost.
 */

/** Somebody waiting for work, or for a word to stop, should look. Hints only: a listener also looks by the clock. */
export const QUEUE_CHANNEL = 'resim_queue';
/** A run has new events. */
export const EVENT_CHANNEL = 'resim_event';

const SNAPSHOT = `jsonb_build_object('state', state, 'step', step, 'totalSteps', total_steps, 'attempt', attempt,
  'error', error, 'startTime', start_time, 'endTime', end_time)`;

/**
 * A change of state and the event that tells it, in one statement. The change itself must take the next sequence
 * number (`last_sequence + 1`): the lock of its row is what orders events.
 */
const announced = (change: string): string => `
  with changed as (${change} returning *),
  event as (
    insert into run_event (run_id, sequence, kind, payload)
    select id, last_sequence, 'run', ${SNAPSHOT} from changed
  )
  select changed.*, pg_notify('${QUEUE_CHANNEL}', id::text), pg_notify('${EVENT_CHANNEL}', id::text) from changed`;

const HELD = `id = $1 and fence = $2 and state in ('RUNNING', 'CANCELLING')`;
const NO_LEASE = `owner = null, lease_until = null`;

export const statements = {
  create: announced(`
    insert into run (id, kind, request_id, request_hash, name, group_name, recipe, recipe_spec, images, seed, last_sequence)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)
    on conflict (request_id) where request_id is not null do nothing`),

  // A worker that died while it was stopping leaves nothing to wait for.
  buryCancelling: announced(`
    update run set state = 'CANCELLED', ${NO_LEASE}, end_time = now(), last_sequence = last_sequence + 1
    where kind = $1 and state = 'CANCELLING' and lease_until < now()`),

  // What brings the whole service down must not be tried for ever.
  buryHopeless: announced(`
    update run set state = 'FAILED', ${NO_LEASE}, end_time = now(), last_sequence = last_sequence + 1,
      failures = failures + 1,
      error = format('the service died %s times in a row while it worked on this run', failures + 1)
    where kind = $1 and state = 'RUNNING' and lease_until < now() and failures + 1 >= $2`),

  // Skip locked: claimers that come at the same time take different runs instead of waiting for each other.
  claim: announced(`
    update run set state = 'RUNNING', owner = $2, lease_until = now() + $3 * interval '1 ms',
      fence = fence + 1, attempt = attempt + 1, batch = 0, failures = failures + (state = 'RUNNING')::int,
      start_time = coalesce(start_time, now()), end_time = null, last_sequence = last_sequence + 1
    where id = (
      select id from run
      where kind = $1 and not_before <= now()
        and (state = 'PENDING' or (state = 'RUNNING' and lease_until < now()))
      order by not_before, id
      for update skip locked
      limit 1
    )`),

  beat: `update run set lease_until = now() + $3 * interval '1 ms' where ${HELD} returning state`,

  finish: announced(`
    update run set state = $3, error = $4, ${NO_LEASE}, end_time = now(), failures = 0,
      last_sequence = last_sequence + 1
    where ${HELD}`),

  // The service stops: the run waits for its next start, unless somebody had asked it to end anyway.
  release: announced(`
    update run set state = case state when 'CANCELLING' then 'CANCELLED' else 'PENDING' end, ${NO_LEASE},
      end_time = case state when 'CANCELLING' then now() end, not_before = now(),
      last_sequence = last_sequence + 1
    where ${HELD}`),

  retry: announced(`
    update run set
      state = case when state = 'CANCELLING' then 'CANCELLED' when failures + 1 >= $4 then 'FAILED' else 'PENDING' end,
      error = case when state <> 'CANCELLING' and failures + 1 >= $4
        then format('%s (%s times in a row without a new checkpoint)', $3::text, failures + 1) else '' end,
      end_time = case when state = 'CANCELLING' or failures + 1 >= $4 then now() end,
      ${NO_LEASE}, failures = failures + 1,
      not_before = now() + least($5 * power(2, failures), 60000) * interval '1 ms',
      last_sequence = last_sequence + 1
    where ${HELD}`),

  cancel: announced(`
    update run set state = case state when 'PENDING' then 'CANCELLED' else 'CANCELLING' end,
      end_time = case state when 'PENDING' then now() end, last_sequence = last_sequence + 1
    where kind = $1 and id = $2 and state in ('PENDING', 'RUNNING')`),

  resume: announced(`
    update run set state = 'PENDING', error = '', end_time = null, not_before = now(), failures = 0,
      last_sequence = last_sequence + 1
    where kind = $1 and id = $2 and state in ('CANCELLED', 'FAILED')`),

  owners: `select distinct owner from run where kind = $1 and state in ('RUNNING', 'CANCELLING') and lease_until > now()`,

  disown: `update run set lease_until = now() - interval '1 ms'
    where kind = $1 and owner = any($2::text[]) and state in ('RUNNING', 'CANCELLING') and lease_until > now()`,

  // Opens a batch: the next of this fence, and none that was written already.
  openBatch: `
    update run set batch = $3, step = greatest(step, $4), total_steps = coalesce($5, total_steps),
      failures = case when $6 then 0 else failures end
    where ${HELD} and batch = $3::bigint - 1
    returning last_sequence, state, step, total_steps, attempt, error, start_time`,

  heldBatch: `select batch from run where ${HELD}`,

  lockUnlessHeldByAnother: `select last_sequence from run
    where id = $1 and case when $2::bigint is null then state not in ('RUNNING', 'CANCELLING') else fence = $2 end
    for update`,

  checkpoint: `
    insert into checkpoint (id, run_id, step, epoch, path, sha256, size_bytes)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (run_id, step) do update set epoch = excluded.epoch, path = excluded.path, sha256 = excluded.sha256,
      size_bytes = excluded.size_bytes, state = 'AVAILABLE'
    returning id`,

  loseCheckpoints: `update checkpoint set state = 'LOST' where run_id = $1 and step = any($2::bigint[])`,

  events: `
    with added as (
      insert into run_event (run_id, sequence, time, kind, step, payload)
      select $1, $2::bigint + row_number() over (order by place), time, kind, step, payload
      from unnest($3::timestamptz[], $4::text[], $5::bigint[], $6::jsonb[])
        with ordinality as event (time, kind, step, payload, place)
      returning 1
    ), counted as (
      update run set last_sequence = last_sequence + (select count(*) from added) where id = $1
    )
    select pg_notify('${EVENT_CHANNEL}', $1::text)`,
} as const;
