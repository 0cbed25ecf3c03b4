// Writes the TypeScript types of the contracts in proto/ to libs/rpc/generated/.
//   node scripts/gen.mjs           regenerate
//   node scripts/gen.mjs --check   fail when what is committed differs from what the contracts say
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const generated = 'libs/rpc/generated';

function run(command, args) {
  const bin = join(root, 'node_modules', '.bin');
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (error) fail(`${command} did not start (${error.message}); run \`npm ci\` first`);
  if (status !== 0) process.exit(status ?? 1);
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

function files(folder) {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.ts'));
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

if (process.argv.includes('--check')) {
  const scratch = mkdtempSync(join(tmpdir(), 'resim-gen-'));
  try {
    run('buf', ['generate', '--output', scratch]);
    const [wanted, found] = [files(join(scratch, generated)), files(join(root, generated))];
    const names = [...new Set([...wanted.keys(), ...found.keys()])];
    const stale = names.filter((name) => wanted.get(name) !== found.get(name));
    if (stale.length > 0) fail(`${generated} is out of date (${stale.join(', ')}); run \`npm run gen\``);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
} else {
  run('buf', ['generate']);
}
