/// What a node is told before it starts: who it is, where it listens, how much it may hold.
///
/// A value: read once at the start, then shared by every thread. Each section says the unit and
/// the reason of its defaults. `Configuration.load` is the only way to get one from outside, so
/// every value in it has passed its rule.
struct Configuration: Sendable, Equatable {
    /// Who this node is.
    var identity: NodeIdentity
    /// Where the registry is served. Port 0 lets the system choose (tests do).
    var listen = Endpoint(host: "127.0.0.1", port: 7171)
    /// What clients and other nodes are told to call. Never a wildcard address; port 0 stands for
    /// the port that `listen` got.
    var advertise = Endpoint(host: "127.0.0.1", port: 7171)
    /// Where `/metrics`, `/livez` and `/readyz` are served; nil serves them nowhere. Loopback by
    /// default because they tell a stranger too much.
    var admin: Endpoint? = Endpoint(host: "127.0.0.1", port: 7172)
    /// How many event loops share the listening port.
    var loops = 1
    /// The nodes of this zone as written down, this one included or not.
    var nodes: [Endpoint] = []
    /// The nodes of the other zones, ordered by zone name.
    var zones: [RemoteZone] = []
    var registry = RegistrySettings()
    var polls = PollSettings()
    var limits = LimitSettings()
    var peerClient = PeerClientSettings()
    var cluster = ClusterConfiguration()
    var compatibility = CompatibilitySettings()
    var scheduler = SchedulerSettings()
    var log = LogSettings()

    /// More loops than this only fight for the one serial queue.
    static let loopsRange = 1...64
    /// The default stops here: the serial queue feeds about this many loops.
    static let loopsDefaultMax = 4
    /// Other zones; each costs a contact and an outbox.
    static let zonesMax = 64
    /// Addresses in `nodes`, and in each entry of `zones`.
    static let nodesMax = 64

    /// What is allowed but unwise, one sentence each; logged as warnings at the start.
    var advice: [String] {
        let hasOthers = !nodes.isEmpty || zones.contains { !$0.nodes.isEmpty }
        return registry.advice + cluster.advice(hasOthers: hasOthers)
    }
}

/// Who a node is. The reference's `[env]` table.
struct NodeIdentity: Sendable, Equatable {
    /// The region of the machine room, `sh` say. Only carried along; may be empty.
    var region = ""
    /// The machine room. Instances are grouped and replicated by it, so it is never guessed.
    var zone: String
    /// The deployment environment: `dev`, `uat`, `prod`. Never guessed either.
    var env: String
    /// This node's own hostname as a registered instance; unique among the nodes.
    var host: String

    /// Names are copied into every answer; longer ones are mistakes.
    static let nameBytesMax = 255
}

/// Another machine room and the nodes that are known in it.
struct RemoteZone: Sendable, Equatable {
    var name: String
    var nodes: [Endpoint]
}

extension Configuration {
    /// A configuration with its origin: what to print and what to mention.
    struct Loaded: Sendable, Equatable {
        var configuration: Configuration
        /// Every key with the value in effect, as a line of TOML, in the order of the sections.
        var effective: [EffectiveSetting]
        /// Keys of the reference that were found in the file and mean nothing here.
        var ignoredKeys: [String]
        /// Every key that may stand in a file, spelled as documented.
        var knownKeys: [String]
    }

    /// Layers the flags over the file over the environment over the defaults, and checks it all.
    ///
    /// Everything wrong is reported at once, so that a start is not repeated for each mistake.
    static func load(
        file: ConfigurationFile?, flags: ConfigurationFlags, environment: ConfigurationEnvironment,
        machine: Machine
    ) throws(ConfigurationProblems) -> Loaded {
        var reader = SettingReader(origin: file?.path ?? SettingReader.builtIn)
        if let file {
            for entry in file.entries { reader.add(entry) }
            for table in file.tables { reader.add(table: table) }
        }
        for entry in flags.entries { reader.override(with: entry) }
        for entry in environment.entries { reader.fillGap(with: entry) }

        let configuration = Configuration(reading: &reader, machine: machine)
        reader.rejectUnknown()
        if !reader.problems.isEmpty {
            throw ConfigurationProblems(all: reader.problems)
        }
        return Loaded(
            configuration: configuration, effective: reader.effective,
            ignoredKeys: reader.ignoredKeys, knownKeys: reader.knownKeys)
    }

    private init(reading reader: inout SettingReader, machine: Machine) {
        identity = NodeIdentity(reading: &reader, machine: machine)
        nodes = reader.endpoints("nodes", countMax: Self.nodesMax)
        registry.startupProtection = reader.boolean(
            "enableprotect", default: registry.startupProtection)
        zones = reader.zones("zones", zonesMax: Self.zonesMax, nodesMax: Self.nodesMax)
        // Relaying to it as to another zone would send everything twice.
        if let own = zones.first(where: { $0.name == identity.zone }) {
            reader.reject(
                "zones.\(own.name)", found: "this node's own zone",
                allowed: "another zone; this one's nodes belong into nodes")
        }
        let seedCount = zones.reduce(nodes.count) { $0 + $1.nodes.count }
        if seedCount > ClusterConfiguration.seedsMax {
            let allowed = Rule.count(ClusterConfiguration.seedsMax, of: "in nodes and zones")
            reader.reject("zones", found: "\(seedCount) addresses", allowed: allowed)
        }
        listen = reader.endpoint("httpServer.addr", default: listen)
        loops = reader.integer(
            "httpServer.loops",
            default: min(max(machine.cores, 1), Self.loopsDefaultMax), in: Self.loopsRange)
        limits = LimitSettings(reading: &reader, machine: machine, nodes: seedCount)
        if seedCount > 0, limits.bodyBytesMax < LimitSettings.clusterBodyBytesMin {
            reader.reject(
                "limits.body_bytes_max", found: "\(limits.bodyBytesMax)",
                allowed: "\(LimitSettings.clusterBodyBytesMin) or more where there are other "
                    + "nodes, which send several writes at once")
        }
        advertise = Self.advertise(reading: &reader, listen: listen, machine: machine)
        admin = reader.optionalEndpoint("admin.listen", default: admin)
        registry.read(&reader)
        polls = PollSettings(reading: &reader, limits: limits)
        peerClient = PeerClientSettings(reading: &reader)
        cluster = ClusterConfiguration(reading: &reader)
        compatibility = CompatibilitySettings(reading: &reader)
        scheduler = SchedulerSettings(reading: &reader)
        log = LogSettings(reading: &reader)
    }

    /// The address others are told: the setting, else the listening address, else, for a
    /// wildcard, the machine's first address that is not loopback.
    private static func advertise(
        reading reader: inout SettingReader, listen: Endpoint, machine: Machine
    ) -> Endpoint {
        let key = "cluster.advertise"
        if let given = reader.endpointIfPresent(key) {
            if given.isWildcard {
                reader.reject(key, found: "\"\(given)\"", allowed: Rule.reachableAddress)
            }
            return given
        }
        var chosen = listen
        if listen.isWildcard {
            guard let address = machine.addresses.first else {
                reader.reject(
                    key, found: "nothing",
                    allowed: "\(Rule.reachableAddress), because httpServer.addr is \"\(listen)\" "
                        + "and the machine has no address but loopback")
                return listen
            }
            chosen.host = address
        }
        reader.note(key, "\"\(chosen)\"")
        return chosen
    }
}

extension NodeIdentity {
    fileprivate init(reading reader: inout SettingReader, machine: Machine) {
        region = reader.name("env.region", default: "")
        zone = reader.requiredName("env.zone", elsewhere: "ZONE or --zone")
        host = reader.requiredName(
            "env.host", default: machine.hostName, elsewhere: "HOSTNAME or --host")
        env = reader.requiredName("env.DeployEnv", elsewhere: "DEPLOY_ENV or --env")
    }
}
