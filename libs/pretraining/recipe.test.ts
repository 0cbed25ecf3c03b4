import { describe, expect, it } from 'vitest';
import { ResimError } from '#libs/core';
import { listRecipes, loadRecipe, recipeNames, resolveRecipe } from './index.js';

function refusal(body: () => unknown): ResimError {
  try {
    body();
  } catch (error) {
    if (error instanceof ResimError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const demo = (...overrides: string[]) => resolveRecipe({ recipe: 'resim-demo', overrides });
const yaml = (text: string) => resolveRecipe({ yaml: text, overrides: [] });

describe('recipes', () => {
  it('that come with the suite resolve, under the names of their files', () => {
    expect(listRecipes().map(({ name }) => name)).toEqual(recipeNames());
  });

  it('as published have the published figures', () => {
    const { train, optim, objective, pairing } = loadRecipe('resim-fpn');
    expect(train).toMatchObject({
      epochs: 200,
      batchSize: 256,
      shards: 8,
      maxSteps: null,
      precision: 'auto',
    });
    expect(optim).toMatchObject({
      lr: 0.03,
      momentum: 0.9,
      weightDecay: 1e-4,
      schedule: 'cosine',
      per: 'epoch',
      warmupSteps: 0,
    });
    expect(objective).toMatchObject({
      queue: 65536,
      temperature: 0.2,
      momentum: 0.999,
      p4: { negatives: 'batch', weight: 1 },
      p3: { negatives: 'shard' },
    });
    expect(pairing.levels).toEqual([
      { name: 'p4', window: 48, stride: 32 },
      { name: 'p3', window: 32, stride: 24 },
    ]);
  });

  it('need a name and a method only', () => {
    expect(yaml('{ name: mine, objective: { method: resim-fpn } }').train.batchSize).toBe(256);
  });

  it('take changes by path, read as YAML', () => {
    const { optim, train, pairing } = demo(
      'optim.lr=0.5',
      'train.precision=fp32',
      'pairing.levels=[{name: p4, window: 16, stride: 16}, {name: p3, window: 8, stride: 8}]',
    );
    expect([optim.lr, train.precision, pairing.levels[1]!.window]).toEqual([0.5, 'fp32', 8]);
  });

  it('survive being resolved again', () => {
    const recipe = demo();
    expect(yaml(JSON.stringify(recipe))).toEqual(recipe);
  });

  it.each([
    [
      'an unknown key',
      () => demo('optim.learningRate=1'),
      'optim.learningRate',
      /the keys here are lr, momentum, weightDecay/,
    ],
    [
      'an unknown key of the method',
      () => demo('objective.temprature=1'),
      'objective.temprature',
      /the keys here are method, dim/,
    ],
    ['an unknown group', () => demo('trian.epochs=1'), 'trian', /the keys here are name, summary/],
    ['a wrong type', () => demo('train.epochs=many'), 'train.epochs', /a number/],
    ['a value out of range', () => demo('optim.momentum=1.5'), 'optim.momentum', /less than 1/],
    [
      'an unknown method',
      () => demo('objective.method=dino'),
      'objective.method',
      /one of "moco-v2", "resim-c4", "resim-fpn"/,
    ],
    [
      'a queue that the batch does not divide',
      () => demo('objective.queue=1000'),
      'objective.queue',
      /multiple of train.batchSize \(=16\)/,
    ],
    [
      'a batch that the shards do not divide',
      () => demo('train.shards=3'),
      'train.batchSize',
      /multiple of train.shards \(=3\)/,
    ],
    ['shards of one image', () => demo('train.shards=16'), 'train.batchSize', /at least 2 a shard/],
    [
      'a level that is missing',
      () => demo('pairing.levels=[{name: p4, window: 16, stride: 16}]'),
      'pairing.levels',
      /p3, which resim-fpn reads/,
    ],
    [
      'a window larger than the view',
      () => demo('pairing.levels=[{name: p4, window: 100, stride: 16}, {name: p3, window: 8, stride: 8}]'),
      'pairing.levels[0].window',
      /smaller than the view/,
    ],
    [
      'views that the trunk cannot halve five times',
      () => demo('pairing.size=100'),
      'pairing.views[0].size',
      /multiple of 32/,
    ],
    [
      'views of other names',
      () => demo('pairing.views=[{name: one}, {name: two}]'),
      'pairing.views',
      /a view named query/,
    ],
    ['a change of no form', () => demo('optim.lr'), 'overrides', /key=value/],
    ['a change inside a value', () => demo('name.first=1'), 'overrides', /not a group/],
  ])('with %s are refused by the path of the key, saying what would be right', (_, body, field, expected) => {
    const { code, violations, message } = refusal(body);
    expect(code).toBe('INVALID_ARGUMENT');
    expect(violations[0]!.field).toBe(field);
    expect(message).toMatch(expected);
  });

  it.each([
    ['no mapping', '[1, 2]', /YAML mapping/],
    ['broken YAML', 'name: [', /not valid YAML \(line/],
    [
      'an alias bomb',
      'a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]',
      /alias/i,
    ],
    ['a custom tag', 'name: !!js/function "x"', /./],
  ])('that are %s are refused', (_, text, message) => {
    expect(refusal(() => yaml(text)).message).toMatch(message);
  });

  it('by an unknown name, or by a path from outside, are refused', () => {
    expect(refusal(() => loadRecipe('resim')).message).toMatch(/there are .*resim-fpn/);
    expect(refusal(() => resolveRecipe({ recipe: '../package.json', overrides: [] })).code).toBe(
      'INVALID_ARGUMENT',
    );
    expect(refusal(() => loadRecipe('./nothing.yaml')).code).toBe('NOT_FOUND');
  });

  it('cannot reach the prototype of objects', () => {
    refusal(() => demo('__proto__.polluted=1'));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
