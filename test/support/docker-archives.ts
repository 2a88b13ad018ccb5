import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { tarArchive, tarFile } from './tar-builder.js';

/** Archives as `docker save` writes them, for tests. */

/** Unlike an OCI config it has fields of Docker's own, and its text is not what an encoder of Go would write. */
export function dockerConfig(layers: readonly Buffer[], fields: object = {}): Buffer {
  const config = {
    architecture: 'amd64',
    docker_version: '20.10.7',
    container_config: { Cmd: ['x'] },
    config: { Hostname: 'h', Env: ['A=<b>'], Cmd: ['sh'], Image: '', Labels: { z: '1', a: '2' } },
    created: '2020-01-02T03:04:05.120000Z',
    history: [{ created: '2020-01-02T03:04:05Z', created_by: 'a && b', empty_layer: false, author: 'me' }],
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => sha256ContentDigest(layer)) },
    ...fields,
  };
  return Buffer.from(JSON.stringify(config));
}

/** What skopeo makes of {@link dockerConfig}. */
export function convertedConfig(layers: readonly Buffer[]): string {
  const diffIds = layers.map((layer) => `"${sha256ContentDigest(layer)}"`).join(',');
  return (
    '{"created":"2020-01-02T03:04:05.12Z","architecture":"amd64","os":"linux",' +
    '"config":{"Env":["A=\\u003cb\\u003e"],"Cmd":["sh"],"Labels":{"a":"2","z":"1"}},' +
    `"rootfs":{"type":"layers","diff_ids":[${diffIds}]},` +
    '"history":[{"created":"2020-01-02T03:04:05Z","created_by":"a \\u0026\\u0026 b","author":"me"}]}'
  );
}

export interface ManifestItem {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[] | null;
}

export function manifestJson(...items: readonly ManifestItem[]): Buffer {
  return tarFile('manifest.json', JSON.stringify(items));
}

/** An archive of one image, with a folder for each layer. */
export function dockerArchive(layers: readonly Buffer[], tag: string = 'app:v1'): Buffer {
  const names = layers.map((_, index) => `${index}/layer.tar`);
  return tarArchive([
    tarFile('config.json', dockerConfig(layers)),
    ...layers.map((layer, index) => tarFile(names[index] ?? '', layer)),
    manifestJson({ Config: 'config.json', RepoTags: [tag], Layers: names }),
  ]);
}
