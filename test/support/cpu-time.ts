/**
 * The processor time that this process has used, in milliseconds: for bounds that hold however busy the machine is.
 */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
