/** A user's name and password, as given on a command line. */
export interface GivenCredentials {
  readonly username: string;
  readonly password: string;
  /** The only registry that gets them, `host[:port]`; any where it is left out. */
  readonly host?: string | undefined;
}

/** Where the configuration of registries is, and what takes precedence over it. Everything has the defaults of podman. */
export interface RegistryConfigOptions {
  /** The registries.conf file, in place of the user's and the system's. The drop-in folders are read as well. */
  readonly registriesConf?: string | undefined;
  /** The file with credentials, in place of all others. */
  readonly authFile?: string | undefined;
  /** A directory of certificates, in place of the `certs.d` directories. */
  readonly certDir?: string | undefined;
  /** True: TLS with valid certificates everywhere; false: nowhere. By default the configuration decides. */
  readonly tlsVerify?: boolean | undefined;
  /** In place of any file. */
  readonly credentials?: GivenCredentials | undefined;
  /** Default: that of the process. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
  /** Folder that holds `containers/` and `docker/`. Default: `/etc`. For tests and for images of systems. */
  readonly systemConfigDir?: string | undefined;
  /** Stops what waits, such as a credential helper. */
  readonly signal?: AbortSignal | undefined;
}
