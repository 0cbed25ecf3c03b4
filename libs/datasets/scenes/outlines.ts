/** A closed polygon, `x, y` of each corner in turn. */
export type Outline = [x: number, y: number][];

const TURN = 2 * Math.PI;

/** Corners on a circle whose radius is a function of the angle, the first one on top. */
function around(corners: number, radius: (angle: number, index: number) => number): Outline {
  return Array.from({ length: corners }, (_, index) => {
    const angle = (index / corners) * TURN;
    const r = radius(angle, index);
    return [r * Math.sin(angle), -r * Math.cos(angle)];
  });
}

function heart(): Outline {
  return Array.from({ length: 48 }, (_, index) => {
    const t = (index / 48) * TURN;
    const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
    return [Math.sin(t) ** 3, -(y + 2.5) / 16];
  });
}

function crescent(): Outline {
  const arc = (from: number, to: number, radius: number, shift: number): Outline =>
    Array.from({ length: 25 }, (_, index) => {
      const angle = from + ((to - from) * index) / 24;
      return [shift + radius * Math.cos(angle), radius * Math.sin(angle)];
    });
  // Two circles that meet at 60 degrees above and below the axis.
  const meet = Math.PI / 3;
  const inner = Math.sin(meet) / Math.sin(Math.PI / 2.4);
  const shift = Math.cos(meet) - inner * Math.cos(Math.PI / 2.4);
  return [...arc(meet, TURN - meet, 1, 0), ...arc(TURN - Math.PI / 2.4, Math.PI / 2.4, inner, shift)];
}

function drop(): Outline {
  const round: Outline = Array.from({ length: 33 }, (_, index) => {
    const angle = -Math.PI / 6 + (index / 32) * (Math.PI + Math.PI / 3);
    return [0.68 * Math.cos(angle), 0.3 + 0.68 * Math.sin(angle)];
  });
  return [...round, [0, -1]];
}

/** The outline of each class, about one unit around its middle. Colour and texture say nothing about the class. */
export const OUTLINES: Record<string, Outline> = {
  arrow: [
    [0, -1],
    [0.75, -0.1],
    [0.3, -0.1],
    [0.3, 1],
    [-0.3, 1],
    [-0.3, -0.1],
    [-0.75, -0.1],
  ],
  bolt: [
    [0.25, -1],
    [-0.6, 0.15],
    [-0.05, 0.15],
    [-0.3, 1],
    [0.6, -0.25],
    [0.05, -0.25],
    [0.55, -1],
  ],
  crescent: crescent(),
  cross: [
    [-0.3, -0.95],
    [0.3, -0.95],
    [0.3, -0.3],
    [0.95, -0.3],
    [0.95, 0.3],
    [0.3, 0.3],
    [0.3, 0.95],
    [-0.3, 0.95],
    [-0.3, 0.3],
    [-0.95, 0.3],
    [-0.95, -0.3],
    [-0.3, -0.3],
  ],
  disc: around(48, () => 0.9),
  drop: drop(),
  flower: around(72, (angle) => 0.72 + 0.26 * Math.cos(5 * angle)),
  gear: around(40, (_, index) => (index % 4 < 2 ? 0.95 : 0.7)),
  heart: heart(),
  hexagon: around(6, () => 0.95),
  square: around(4, () => 1.1),
  star: around(10, (_, index) => (index % 2 === 0 ? 1 : 0.42)),
  triangle: around(3, () => 1.1),
};

/** Names of the classes, sorted. */
export const SCENE_CLASSES: readonly string[] = Object.keys(OUTLINES).sort();
