/** A path to what a descriptor of this process stands for, also if that has no name. */
export function procPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
