internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire

/// The configuration as each module takes its part of it.
extension Configuration {
    var nodeSettings: NodeSettings {
        var settings = NodeSettings()
        settings.region = identity.region
        settings.zone = identity.zone
        settings.env = identity.env
        settings.hostname = identity.host
        settings.lease = Int64(registry.leaseSeconds) * Duration.second
        // Two of the three renewals in a lease were missed.
        settings.overdueAfter = settings.lease / 3 * 2
        settings.protectionCeiling = Int64(registry.protectionCeilingSeconds) * Duration.second
        settings.overduePercentMax = registry.selfPreservationPercent
        settings.evictionPercentMax = registry.evictionPercentPerMinute
        settings.startupProtection =
            registry.startupProtection
            ? Int64(registry.startupProtectionSeconds) * Duration.second : 0
        settings.tombstoneAge = Int64(registry.tombstoneSeconds) * Duration.second
        settings.tombstonesMax = registry.tombstonesMax
        settings.instancesMax = registry.instancesMax
        settings.appsMax = registry.appsMax
        settings.metadataBytesMax = registry.metadataBytesMax
        settings.pollHold = Int64(polls.holdSeconds) * Duration.second
        settings.wakeInterval = Int64(polls.coalesceMilliseconds) * Duration.millisecond
        settings.waitersMax = polls.waitersMax
        settings.cluster = clusterSettings
        return settings
    }

    private var clusterSettings: ClusterSettings {
        var settings = ClusterSettings()
        // What others are told to call is this node itself. By another address it finds itself
        // once it is called there.
        settings.seeds = nodes.filter { $0 != advertise }.map {
            ClusterSettings.Seed(address: $0.description, zone: identity.zone)
        }
        for zone in zones {
            settings.seeds += zone.nodes.map {
                ClusterSettings.Seed(address: $0.description, zone: zone.name)
            }
        }
        // The reference's one limit for all requests; ours are shorter where less is asked for.
        let requestMax = Int64(peerClient.requestMilliseconds) * Duration.millisecond
        settings.callTimeout = min(settings.callTimeout, requestMax)
        settings.pullTimeout = min(settings.pullTimeout, requestMax)
        settings.fetchAllTimeout = requestMax
        settings.joinTimeout = Int64(cluster.joinSeconds) * Duration.second
        settings.digestInterval = Int64(cluster.digestSeconds) * Duration.second
        settings.comparisonInterval = Int64(cluster.comparisonSeconds) * Duration.second
        settings.acknowledgementWait =
            Int64(cluster.acknowledgementMilliseconds) * Duration.millisecond
        settings.renewalDelay = Int64(cluster.renewalDelayMilliseconds) * Duration.millisecond
        settings.outboxMax = cluster.outboxMax
        return settings
    }

    var wireSettings: WireSettings {
        var settings = WireSettings()
        settings.limits.appsMax = polls.appsPerPollMax
        settings.limits.addrsMax = registry.addrsMax
        settings.limits.metadataBytesMax = registry.metadataBytesMax
        settings.pollHold = Int64(polls.holdSeconds) * Duration.second
        settings.shape =
            switch compatibility.instancesShape {
            case .map: .byZone
            case .array: .array
            }
        return settings
    }

    var loopConfiguration: LoopConfiguration {
        var httpLimits = HTTPLimits()
        // Each loop counts its own connections.
        httpLimits.connectionsMax = max(1, limits.connectionsMax / loops)
        httpLimits.parkedMax = httpLimits.connectionsMax
        httpLimits.callConnectionsMax = LimitSettings.filesReservedPerNode
        httpLimits.headBytesMax = limits.headBytesMax
        httpLimits.bodyBytesMax = limits.bodyBytesMax
        httpLimits.headSecondsMax = limits.headSeconds
        httpLimits.idleSecondsMax = limits.idleSeconds
        httpLimits.dialMilliseconds = peerClient.dialMilliseconds
        httpLimits.callIdleSeconds = max(1, peerClient.keepAliveMilliseconds / 1000)
        var service = ListenerConfiguration(host: listen.host, port: listen.port)
        service.opensLater = true
        var listeners = [service]
        if let admin {
            var listener = ListenerConfiguration(
                host: admin.host, port: admin.port, sharedByLoops: false)
            listener.isReserved = true
            listeners.append(listener)
        }
        return LoopConfiguration(listeners: listeners, limits: httpLimits)
    }
}
