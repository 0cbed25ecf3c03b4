import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { projectPath, ResimError } from '#libs/core';

/** The native image kernels (`libs/pairing/native`), function by function and in the same order as there. */
export interface ImageAddon {
  loadTurbojpeg(path: string): boolean;
  jpegHeader(file: Uint8Array): { width: number; height: number; cmyk: boolean };
  /** `out` holds height x width x 3 bytes. */
  decodeJpeg(file: Uint8Array, out: Uint8Array): void;
  /** One view of `image` (`[height, width, 3]`) by a plan of numbers, written into `out` from `offset` on. */
  makeView(
    image: Uint8Array,
    width: number,
    height: number,
    plan: Float64Array,
    out: Uint8Array,
    offset: number,
  ): void;
  /** One operation in place on `[height, width, 3]`. */
  applyOperation(image: Uint8Array, width: number, height: number, operation: number, value: number): void;
}

const require = createRequire(import.meta.url);
let addon: ImageAddon | undefined;

/** libjpeg-turbo as the npm package brings it: beside its binding on Linux, built into the binding elsewhere. */
function loadTurbojpeg(kernels: ImageAddon): boolean {
  const folder = join(dirname(require.resolve('@julusian/jpeg-turbo/package.json')), 'prebuilds');
  const platform = `jpeg-turbo-${process.platform}-${process.arch}`;
  return [platform, `${platform}-musl`].some((name) =>
    kernels.loadTurbojpeg(join(folder, name, 'libturbojpeg.so.0')),
  );
}

/** Where there is no shared library to load, the package's own binding decodes: its inverse DCT differs by a few of 255. */
function decodeByBinding(file: Uint8Array, out: Uint8Array): void {
  const turbo = require('@julusian/jpeg-turbo') as typeof import('@julusian/jpeg-turbo');
  const view = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  turbo.decompressSync(view(file), view(out), { format: turbo.FORMAT_RGB });
}

/**
 * The native kernels, loaded once a thread.
 * @throws ResimError FAILED_PRECONDITION when they have not been built
 */
export function imageAddon(): ImageAddon {
  if (addon === undefined) {
    const path = projectPath('build', 'native', 'resim_image.node');
    let kernels: ImageAddon;
    try {
      kernels = require(path) as ImageAddon;
    } catch (cause) {
      throw new ResimError(
        'FAILED_PRECONDITION',
        'the native image kernels are not built; run `npm run build:native`',
        { reason: 'NATIVE_IMAGE_MISSING', cause },
      );
    }
    addon = loadTurbojpeg(kernels) ? kernels : { ...kernels, decodeJpeg: decodeByBinding };
  }
  return addon;
}
