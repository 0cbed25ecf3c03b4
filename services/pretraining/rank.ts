import { pretrain, type ResolvedRecipe } from '#libs/pretraining';
import { runRank } from '#libs/runs/rank';

/** The process that trains: one run, from its newest checkpoint to its end. */
runRank(async ({ recipe, images, directory }, { signal, events }) => {
  // Resolved and checked by the service when the run was queued.
  const result = await pretrain({ recipe: recipe as ResolvedRecipe, images, directory, signal, events });
  return result.state;
});
