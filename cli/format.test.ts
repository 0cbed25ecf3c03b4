import { expect, test } from 'vitest';
import { bar, bytes, clock, duration, facts, figure, plain, share, table } from './format.js';

test.each([
  [0.4, '0 s'],
  [59.4, '59 s'],
  [59.6, '1:00'],
  [83, '1:23'],
  [7384, '2:03:04'],
  [273_600, '3 d 4 h'],
  [-5, '0 s'],
])('%d seconds read as %s', (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [98_671_616, '94.1 MiB'],
  [5 * 1024 ** 5, '5120.0 TiB'],
])('%d bytes read as %s', (count, text) => expect(bytes(count)).toBe(text));

test.each([
  [0, '0'],
  [600, '600'],
  [12.345678, '12.35'],
  [0.00042, '4.20e-4'],
  [1.5e9, '1.50e+9'],
  ['NaN', 'NaN'],
  ['-Infinity', '-Infinity'],
] as const)('the figure %s reads as %s', (value, text) => expect(figure(value)).toBe(text));

test('a share is a percentage', () => {
  expect(share(0.3825)).toBe('38.3 %');
  expect(share('NaN')).toBe('NaN');
});

test('a bar never leaves its width', () => {
  expect(bar(0.5, 4)).toBe('██░░');
  expect(bar(7, 4)).toBe('████');
  expect(bar(-1, 4)).toBe('░░░░');
});

test('columns of a table are as wide as their widest cell', () => {
  expect(
    table(
      ['ID', 'STATE'],
      [
        ['long-id', 'RUNNING'],
        ['b', 'FAILED'],
      ],
    ),
  ).toBe('ID       STATE\nlong-id  RUNNING\nb        FAILED\n');
  expect(
    facts([
      ['run', '1'],
      ['state', 'PENDING'],
    ]),
  ).toBe('run    1\nstate  PENDING\n');
});

test('a time is shown in the minutes of this machine', () => {
  const time = new Date(2026, 2, 1, 4, 5);
  expect(clock(time.toISOString())).toBe('2026-03-01 04:05');
  expect(clock(null)).toBe('-');
});

test('text from elsewhere cannot command the terminal', () => {
  expect(plain('\u001b[2Jtrial\nrm')).toBe(' [2Jtrial rm');
});
