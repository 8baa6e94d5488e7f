/// How long registered instances live and how many may.
struct RegistrySettings: Sendable, Equatable {
    /// Whether reads are refused after a start until peers have been heard. The reference's
    /// `enableprotect`; off by default, as there.
    var startupProtection = false
    /// Seconds for which that lasts at most: two renewals, so that every client has been heard.
    var startupProtectionSeconds = 60
    /// Seconds an instance lives without a renewal. Clients renew every 30 s and cannot be told
    /// otherwise: 90 s forgives two lost renewals, less than 60 s forgives none.
    var leaseSeconds = 90
    /// Lapsed instances removed per minute, in percent of all: a fault of the network takes hours
    /// to empty the registry instead of one lease.
    var evictionPercentPerMinute = 15
    /// Percent of overdue instances above which none is removed: more than that at once is a fault
    /// between us and them.
    var selfPreservationPercent = 15
    /// Seconds without a renewal after which an instance goes in spite of self-preservation.
    var protectionCeilingSeconds = 3600
    /// Seconds for which a cancelled instance is remembered, so that a late register cannot bring
    /// it back: longer than a peer may be away and still hold it.
    var tombstoneSeconds = 7200
    /// Cancelled instances remembered at once: about 20 MB.
    var tombstonesMax = 100_000
    /// Instances held at once: about 450 MB per million.
    var instancesMax = 4_000_000
    /// Applications held at once, over all environments.
    var appsMax = 1_000_000
    /// Bytes of the metadata of one instance: it is repeated in every answer about the app.
    var metadataBytesMax = 60_000
    /// Addresses of one instance: one per protocol, and some.
    var addrsMax = 64

    static let startupProtectionSecondsRange = 0...3600
    /// Below the 30 s of the clients only for rehearsals: it removes every one of them.
    static let leaseSecondsRange = 1...3600
    static let percentRange = 1...100
    static let protectionCeilingSecondsRange = 90...86_400
    static let tombstoneSecondsRange = 60...604_800
    static let tombstonesMaxRange = 0...10_000_000
    static let instancesMaxRange = 1...10_000_000
    static let appsMaxRange = 1...10_000_000
    static let metadataBytesMaxRange = 256...60_000
    static let addrsMaxRange = 1...1024
    /// Clients renew every 30 s: a lease that forgives no lost renewal deserves a warning.
    static let leaseSecondsAdvised = 60

    /// Reads the `[registry]` table; `enableprotect` stands outside of it.
    mutating func read(_ reader: inout SettingReader) {
        leaseSeconds = reader.integer(
            "registry.lease_seconds", default: leaseSeconds, in: Self.leaseSecondsRange)
        startupProtectionSeconds = reader.integer(
            "registry.startup_protection_seconds", default: startupProtectionSeconds,
            in: Self.startupProtectionSecondsRange)
        evictionPercentPerMinute = reader.integer(
            "registry.eviction_percent_per_minute", default: evictionPercentPerMinute,
            in: Self.percentRange)
        selfPreservationPercent = reader.integer(
            "registry.self_preservation_percent", default: selfPreservationPercent,
            in: Self.percentRange)
        protectionCeilingSeconds = reader.integer(
            "registry.protection_ceiling_seconds", default: protectionCeilingSeconds,
            in: Self.protectionCeilingSecondsRange)
        if protectionCeilingSeconds < leaseSeconds {
            reader.reject(
                "registry.protection_ceiling_seconds", found: "\(protectionCeilingSeconds)",
                allowed: "at least registry.lease_seconds, which is \(leaseSeconds)")
        }
        tombstoneSeconds = reader.integer(
            "registry.tombstone_seconds", default: tombstoneSeconds,
            in: Self.tombstoneSecondsRange)
        tombstonesMax = reader.integer(
            "registry.tombstones_max", default: tombstonesMax, in: Self.tombstonesMaxRange)
        instancesMax = reader.integer(
            "registry.instances_max", default: instancesMax, in: Self.instancesMaxRange)
        appsMax = reader.integer(
            "registry.apps_max", default: appsMax, in: Self.appsMaxRange)
        metadataBytesMax = reader.integer(
            "registry.metadata_bytes_max", default: metadataBytesMax,
            in: Self.metadataBytesMaxRange)
        addrsMax = reader.integer(
            "registry.addrs_max", default: addrsMax, in: Self.addrsMaxRange)
    }

    /// What is allowed but unwise, one sentence each.
    var advice: [String] {
        guard leaseSeconds < Self.leaseSecondsAdvised else { return [] }
        return [
            "registry.lease_seconds is \(leaseSeconds): clients renew every 30 s, so one lost "
                + "renewal removes a healthy instance; use \(Self.leaseSecondsAdvised) or more"
        ]
    }
}
