import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Who works on a run, so exactly that another process on the same machine can tell whether it is dead: host, boot,
 * namespace of process ids, process id and its time of start. Elsewhere than on Linux the last are not known, nobody
 * is ever declared dead, and a lease has to run out.
 */

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** When a process was started, in ticks since the boot; undefined when there is no such process. proc(5), field 22. */
export function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The second field, the command in parentheses, may hold blanks and parentheses itself.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended; its parent only has not asked how.
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19];
}

function place(): string | undefined {
  const boot = read('/proc/sys/kernel/random/boot_id');
  if (boot === undefined) return undefined;
  try {
    return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

export function ownerOf(pid: number): string {
  return `${place() ?? hostname()} ${pid} ${startOf(pid) ?? ''}`;
}

/** Whether an owner was a process of this machine that has ended for certain. */
export function isDead(owner: string): boolean {
  const here = place();
  if (here === undefined || !owner.startsWith(`${here} `)) return false;
  const [pid, start] = owner.slice(here.length + 1).split(' ');
  return Boolean(start) && startOf(Number(pid)) !== start;
}
