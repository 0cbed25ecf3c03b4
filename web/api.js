/** JSON of the gateway that served this page; a failure is an Error with the sentence of the problem. */
export async function call(method, path) {
  let response;
  try {
    response = await fetch(path, { method, headers: { accept: 'application/json' } });
  } catch {
    throw new Error('The gateway does not answer.');
  }
  const body = await response.json().catch(() => undefined);
  if (!response.ok) throw new Error(body?.detail ?? `The gateway answered with status ${response.status}.`);
  return body;
}

const KINDS = ['run', 'metrics', 'checkpoint', 'warning'];

/**
 * Events of a run until it has ended or `close` is called. The browser connects again by itself where it may; where
 * it gives up (the gateway answered with an error while it started) a new connection goes on after the last event.
 *
 * @returns {() => void} close
 */
export function watch(id, afterStep, onEvent) {
  let source;
  let timer;
  let last = 0;
  const connect = () => {
    source = new EventSource(`v1/runs/${id}/events?afterStep=${afterStep}&afterSequence=${last}`);
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data }) => {
        const event = JSON.parse(data);
        last = event.sequence;
        onEvent(event);
      });
    }
    for (const final of ['end', 'problem']) source.addEventListener(final, () => source.close());
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, 3000);
    };
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
