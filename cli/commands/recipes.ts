import { Command } from 'commander';
import { clientOf, type GatewayOptions, printJson, withGateway } from '../connection.js';
import { plain, table } from '../format.js';

export function recipesCommand(): Command {
  const command = new Command('recipes').description('list and show recipes');
  withGateway(command.command('ls').description('recipes that the server knows')).action(list);
  withGateway(command.command('show <name>').description('a recipe as it is written'))
    .option('--resolved', 'every option with its value, as JSON')
    .action(show);
  return command.addHelpText(
    'after',
    `
Examples:
  $ resim recipes ls
  $ resim recipes show resim-fpn > my-recipe.yaml`,
  );
}

async function list(options: GatewayOptions): Promise<void> {
  const answer = await clientOf(options).listRecipes();
  if (options.json) return printJson(answer);
  const rows = answer.recipes.map(({ name, summary }) => [name, plain(summary)]);
  process.stdout.write(table(['NAME', 'SUMMARY'], rows));
}

async function show(name: string, options: GatewayOptions & { resolved?: boolean }): Promise<void> {
  const recipe = await clientOf(options).getRecipe(name);
  if (options.json) return printJson(recipe);
  if (options.resolved) return printJson(recipe.resolved);
  process.stdout.write(recipe.yaml.endsWith('\n') ? recipe.yaml : `${recipe.yaml}\n`);
}
