import { Command } from 'commander';
import { pairsCommand } from './commands/pairs.js';
import { pretrainCommand } from './commands/pretrain.js';
import { recipesCommand } from './commands/recipes.js';
import { runsCommand } from './commands/runs.js';
import { scenesCommand } from './commands/scenes.js';
import { errorText, exitCode } from './exit.js';

const json = process.argv.includes('--json');

function program(): Command {
  const resim = new Command('resim')
    .description('ReSim Suite: region-level self-supervised pre-training')
    .addHelpText(
      'after',
      `
Examples:
  $ resim pretrain --images ~/pictures --recipe resim-fpn
  $ resim runs ls

Exit codes: 0 done, 1 failed, 2 wrong input, 3 no server answers, 130 interrupted.`,
    );
  for (const command of [pretrainCommand(), runsCommand(), recipesCommand(), pairsCommand(), scenesCommand()])
    resim.addCommand(command);
  settle(resim);
  return resim;
}

/** A wrong option is an exception, which ends in one place with the exit code for wrong input. */
function settle(command: Command): void {
  command.exitOverride().showHelpAfterError('(add --help to see what there is)');
  // Told once, as JSON, where the error ends up.
  if (json) command.configureOutput({ writeErr: () => undefined });
  for (const inner of command.commands) settle(inner);
}

// `resim runs ls | head` closes the pipe early, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  await program().parseAsync();
} catch (error) {
  process.stderr.write(errorText(error, json));
  process.exitCode = exitCode(error);
}
