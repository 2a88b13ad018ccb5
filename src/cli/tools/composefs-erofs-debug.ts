import { printable } from '../../bytes/printable.js';
import { debugImageText } from '../../composefs/erofs/debug/debug-image.js';
import { ComposefsError, fullMessage } from '../../errors.js';
import { readImageFile } from './read-image.js';
import { STDOUT, writeTexts } from './stdio.js';
import { failuresOf, ToolFailure } from './tool-failure.js';

const TOOL = 'composefs-erofs-debug';
const USAGE = `usage: ${TOOL} IMAGE\n`;
const { errx } = failuresOf(TOOL);

/**
 * `composefs-erofs-debug IMAGE`: everything in an image as text that `diff` can compare (spec 20 §13, spec 70 D4). What is
 * no image is an error with status 1; the reference panics.
 *
 * @throws ToolFailure
 */
export function composefsErofsDebug([image, ...rest]: readonly string[]): number {
  if (image === undefined) throw new ToolFailure(`No image specified\n${USAGE}`);
  if (rest.length > 0) throw new ToolFailure(`One image only\n${USAGE}`);
  const bytes = readImageFile(TOOL, image, 'Failed to load');
  try {
    writeTexts(STDOUT, utf8(debugImageText(bytes)));
  } catch (error) {
    if (!(error instanceof ComposefsError)) throw error;
    throw errx(`Failed to load '${printable(image)}': ${printable(fullMessage(error))}`);
  }
  return 0;
}

/** The texts with a char for each byte, as {@link writeTexts} wants them: names in an image may be of any script. */
function* utf8(texts: Iterable<string>): Generator<string> {
  for (const text of texts) yield Buffer.from(text).toString('latin1');
}
