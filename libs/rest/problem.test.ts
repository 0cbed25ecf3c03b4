import { expect, test } from 'vitest';
import { invalid, ResimError } from '#libs/core';
import { fromProblem, toProblem } from './problem.js';

test('an error is the same after its journey as problem details', () => {
  const error = new ResimError('FAILED_PRECONDITION', 'the run has ended', {
    reason: 'RUN_ENDED',
    metadata: { state: 'SUCCEEDED' },
    violations: [{ field: 'id', value: 3, expected: 'a run that goes on' }],
    cause: new Error('secret'),
  });
  const sent = JSON.stringify(toProblem(error));
  expect(sent).not.toContain('secret');
  const { code, message, reason, metadata, violations } = fromProblem(409, JSON.parse(sent));
  expect({ code, message, reason, metadata, violations }).toEqual({
    code: error.code,
    message: error.message,
    reason: error.reason,
    metadata: error.metadata,
    violations: error.violations,
  });
});

test('the kind of problem is told as a URI and as a status', () => {
  const { type, status } = toProblem(invalid('images', '', 'a folder'));
  expect(type).toBe('urn:resim:problem:invalid-field');
  expect(URL.canParse(type)).toBe(true);
  expect(status).toBe(400);
});

test('an answer that is no problem of ours is told as what it was', () => {
  expect(fromProblem(502, '<html>').code).toBe('UNAVAILABLE');
  expect(fromProblem(500, undefined).code).toBe('INTERNAL');
  expect(fromProblem(418, { title: 'teapot' }).message).toContain('418');
});
