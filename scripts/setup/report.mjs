/** Something that the user can put right: printed as it is, without a stack trace. */
export class SetupError extends Error {}

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * Runs one step of the set-up and says what it did: `work` gets a function to announce that there is something to do
 * and returns a sentence about what it found or made.
 */
export async function step(name, log, work) {
  const since = performance.now();
  const result = await work((doing) => log(`  ${name}: ${doing} …`));
  log(`  ${name}: ${result} (${seconds(since)})`);
}

export { seconds };
