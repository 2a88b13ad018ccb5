import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { OciDigest } from '../model/digest.js';

/** An OCI content digest and the object id of the splitstream that holds the content. */
export type ContentAndVerity = readonly [digest: OciDigest, verity: ObjectId];
