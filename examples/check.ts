/** Checks a repository and what garbage it has, and collects that: `node check.js REPOSITORY`. */

import { formatOciFsckError, isOciFsckOk, ociFsck } from 'composefs-oci';
import { Repository } from 'composefs-oci/composefs';

const [path = ''] = process.argv.slice(2);
await using repo = await Repository.open(path);
const signal = AbortSignal.timeout(600_000);

const { streamsChecked } = await repo.fsck({ metadataOnly: true, signal });
console.log(`${streamsChecked} streams`);

const result = await ociFsck(repo, { signal });
for (const error of result.errors) console.log(formatOciFsckError(error));
if (!isOciFsckOk(result)) process.exitCode = 1;

const { objectsRemoved: garbage } = await repo.gc({ dryRun: true, signal });
const { objectsRemoved } = await repo.gc({ signal });
console.log(`${garbage} objects of garbage, ${objectsRemoved} removed`);
