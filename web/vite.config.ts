/** Builds the page into the Python package, with a compressed copy of every file beside it. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const output = '../src/vmstead/web/static';
const compressible = new Set(['.html', '.js', '.css', '.svg', '.json', '.md', '.txt']);

/**
 * A correction of the SPICE client: rows of a raw image may be longer in memory than they are wide, as those are that
 * Linux's qxl driver sends. Without it the text consoles of Linux guests are illegible.
 */
const ROWS = [
  '(n = (t.y - 1) * t.stride, _ = 2 * t.stride), e = r.createImageData(t.x, t.y), s = 0; s < t.y * t.stride; n -= _)',
  '(n = (t.y - 1) * t.stride), _ = t.flags & o.SPICE_BITMAP_FLAGS_TOP_DOWN ? 4 * t.x - t.stride : 4 * t.x + t.stride, ' +
    'e = r.createImageData(t.x, t.y), s = 0; s < 4 * t.x * t.y; n -= _)',
] as const;

function corrected(source: string): string {
  const [wrong, right] = ROWS;
  if (!source.includes(wrong)) throw new Error('the SPICE client has changed: see whether it still needs its correction');
  return `/* Changed for Vmstead: rows of raw images may be padded. */\n${source.replace(wrong, right)}`;
}

/** The SPICE client stays a file of its own, with its source and licence: whoever runs the server may replace it. */
function spiceClient(): Plugin {
  return {
    name: 'spice-client',
    writeBundle() {
      const from = 'node_modules/spice-client';
      const to = join(output, 'spice-client');
      mkdirSync(to, { recursive: true });
      writeFileSync(join(to, 'index.js'), corrected(readFileSync(join(from, 'dist/esm/index.js'), 'utf8')));
      copyFileSync(join(from, 'dist/esm/index.js.map'), join(to, 'index.js.map'));
      copyFileSync(join(from, 'LICENSE'), join(to, 'LICENSE.txt'));
      // Its package names these and does not have them.
      for (const name of ['LGPL-3.txt', 'GPL-3.txt']) copyFileSync(join('licenses', name), join(to, name));
    },
  };
}

function compressed(): Plugin {
  return {
    name: 'compressed',
    closeBundle() {
      for (const entry of readdirSync(output, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !compressible.has(extname(entry.name))) continue;
        const path = join(entry.parentPath, entry.name);
        const content = readFileSync(path);
        if (content.length < 1000) continue;
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
        writeFileSync(
          `${path}.br`,
          brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
        );
      }
    },
  };
}

export default defineConfig({
  base: '/ui/',
  plugins: [react(), spiceClient(), compressed()],
  build: {
    outDir: output,
    emptyOutDir: true,
    target: 'es2022',
    license: { fileName: 'licenses.md' },
    chunkSizeWarningLimit: 1000,
    rollupOptions: {
      checks: { pluginTimings: false },
      input: { index: 'index.html', screen: 'screen.html', serial: 'serial.html' },
      external: ['/ui/spice-client/index.js'],
    },
  },
});
