import { Controller, Get, Param } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type Recipe, recipe, type RecipeList, recipeList } from '#libs/rest';
import { z } from 'zod';
import { findRecipe, listRecipes } from './recipes.js';

const recipeName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,99}$/, 'the name of a recipe: lower-case letters, digits and dashes')
  .meta({ examples: ['resim-fpn'] });

@ApiTags('recipes')
@Controller('v1/recipes')
export class RecipesController {
  @Get()
  @ApiOperation({ operationId: 'listRecipes', summary: 'Recipes of the suite' })
  @ApiResponse({ status: 200, standardSchema: recipeList })
  async list(): Promise<RecipeList> {
    return { recipes: await listRecipes() };
  }

  @Get(':name')
  @ApiOperation({ operationId: 'getRecipe', summary: 'One recipe, as written and as resolved' })
  @ApiResponse({ status: 200, standardSchema: recipe })
  async get(@Param('name', { schema: recipeName }) name: string): Promise<Recipe> {
    return findRecipe(name);
  }
}
