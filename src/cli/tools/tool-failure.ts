import { errnoMessage } from '../../linux/strerror.js';

/** Ends a tool with exit status 1. */
export class ToolFailure extends Error {
  /** All that goes to standard error. */
  readonly text: string;

  constructor(text: string) {
    super(text.trimEnd());
    this.text = text;
  }
}

/** The ways in which the C tools end (err(3)). */
export interface Failures {
  /** `tool: message` */
  errx(message: string): ToolFailure;
  /** `tool: message: reason`, with the C library's text for what a system call failed with. */
  err(message: string, cause: unknown): ToolFailure;
}

export function failuresOf(tool: string): Failures {
  const errx = (message: string): ToolFailure => new ToolFailure(`${tool}: ${message}\n`);
  return { errx, err: (message, cause) => errx(`${message}: ${errnoMessage(cause)}`) };
}
