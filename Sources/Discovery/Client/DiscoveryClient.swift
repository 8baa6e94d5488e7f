public import AsyncHTTPClient
public import Logging
public import ServiceLifecycle

/// A client of the registry: registers this program's instances, and follows those of others.
///
/// One per program, run as a service of a `ServiceGroup`; what it registered it cancels when the
/// group shuts down. Lists that it has learned outlive every outage of the registry.
public actor DiscoveryClient: Service {
    public nonisolated let configuration: ClientConfiguration
    nonisolated let logger: Logger
    let api: RegistryAPI

    var nodes: NodeList
    var random: any RandomNumberGenerator & Sendable

    /// By appid: what is to be in the registry.
    var registrations: [String: Held] = [:]
    /// Apps of which a register was not answered: it may have been taken.
    var doubtful: Set<String> = []
    /// Apps that something is being written of, and who waits for his turn.
    var busy: Set<String> = []
    var turns: [String: [Turn]] = [:]
    var turnCount = 0
    let kept = AsyncStream<Kept>.makeStream()
    var registrationCount = 0

    /// What is followed, by appid.
    var apps: [String: App]
    /// By number of the poll. None is ever removed; one may be without apps.
    var polls: [Poll]
    let begun = AsyncStream<Int>.makeStream()
    private var watcherCount = 0
    var isLeaving = false
    /// Whether the last poll was not answered.
    var isLost = false
    /// When another node is polled.
    var switchAt: ContinuousClock.Instant
    /// When nodes of the own zone are tried again; nil at one of them.
    var homeAt: ContinuousClock.Instant?
    var homePause: Duration

    /// A registration that is kept alive.
    struct Held {
        var registration: Registration
        /// A node may have taken a change of it that was given up: it is to be said again.
        var isUnsettled = false
        /// Tells it from an earlier one of the same app.
        let number: Int
    }

    struct Kept {
        let appID: String
        let number: Int
    }

    /// Somebody who waits to write.
    struct Turn {
        let number: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    struct App {
        let appID: String
        /// The timestamp that the present node gave; 0: none yet.
        var latest: Int64 = 0
        var snapshot: Snapshot?
        var watchers: [(number: Int, continuation: AsyncStream<Snapshot>.Continuation)] = []
        fileprivate var pickers: [WeakPicker] = []
        var lastUse = ContinuousClock.now
        /// Whether a node has refused to be asked for it.
        var isRefused = false

        /// Whether nobody holds on to it.
        var isUnused: Bool { watchers.isEmpty && pickers.allSatisfy { $0.picker == nil } }

        init(appID: String) { self.appID = appID }

        /// Whether it says anything new.
        mutating func publish(_ snapshot: Snapshot) -> Bool {
            // Another node says the same.
            let isNews = snapshot.differs(from: self.snapshot)
            self.snapshot = snapshot
            if !isNews { return false }
            // Whoever is told may pick at once.
            for held in pickers { held.picker?.update(snapshot) }
            for watcher in watchers { watcher.continuation.yield(snapshot) }
            return true
        }
    }

    fileprivate struct WeakPicker {
        weak var picker: Picker?
    }

    static let nodesAppID = "infra.discovery"

    /// `httpClient`: nil for one that all clients of the program share. Another one stays the
    /// caller's, who shuts it down after the service has ended. It must not repeat connections that
    /// fail (`retryConnectionEstablishment`), or a node that is gone costs the whole time of a
    /// request; a read timeout has to be longer than `pollTimeout`. Throws
    /// `DiscoveryError.misconfigured`.
    public init(
        _ configuration: ClientConfiguration, httpClient: HTTPClient? = nil,
        logger: Logger = Logger(label: "discovery.client")
    ) throws {
        try self.init(
            configuration,
            transport: AsyncHTTPTransport(
                client: httpClient ?? AsyncHTTPTransport.shared,
                answerBytesMax: configuration.answerBytesMax),
            random: SystemRandomNumberGenerator(), logger: logger)
    }

    init(
        _ configuration: ClientConfiguration, transport: any Transport,
        random: any RandomNumberGenerator & Sendable, logger: Logger
    ) throws {
        try configuration.check()
        self.configuration = configuration
        self.logger = logger
        self.random = random
        api = RegistryAPI(transport: transport, configuration: configuration)
        nodes = NodeList(seeds: configuration.nodes, random: random)
        apps = [DiscoveryClient.nodesAppID: App(appID: DiscoveryClient.nodesAppID)]
        polls = [Poll(appIDs: [DiscoveryClient.nodesAppID])]
        let factor = Double.random(in: 0.9...1.1, using: &self.random)
        switchAt = .now + configuration.switchInterval * factor
        homePause = DiscoveryClient.homePauseFirst
    }

    // MARK: Service

    /// Renews and polls until the service group shuts down, or the task is cancelled; then cancels
    /// what was registered, and goes on for `drainTime`. Once per client.
    public func run() async {
        start(0)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepRegistrations() }
            group.addTask { await self.keepPolling() }
            group.addTask {
                do { try await gracefulShutdown() } catch {}
            }
            _ = await group.next()
            isLeaving = true
            group.cancelAll()
        }
        // The task may be cancelled; the registry is to hear of it all the same.
        await Task { await self.leave() }.value
    }

    // MARK: Consumers

    private func keepPolling() async {
        await withDiscardingTaskGroup { group in
            for await number in begun.stream {
                group.addTask { await self.pollForEver(number) }
            }
        }
    }

    /// The instances of an app, as often as they change, the present ones first. Whoever is slow
    /// gets the latest. It ends when the task that iterates it is cancelled, not with the service:
    /// other services, which end later, go on with what is known.
    public nonisolated func instances(of appID: String) -> Snapshots {
        Snapshots(client: self, appID: appID)
    }

    /// What is known of an app at this moment: nil if nothing is, or nobody has asked for it yet.
    public func snapshot(of appID: String) -> Snapshot? {
        apps[appID]?.lastUse = .now
        return apps[appID]?.snapshot
    }

    /// Picks instances of an app for as long as it is held. It is empty until the registry has
    /// answered; `instances(of:)` tells when.
    public func picker(for appID: String, _ options: Picker.Options = Picker.Options()) -> Picker {
        let picker = Picker(zone: configuration.zone, options: options)
        follow(appID)
        apps[appID]?.lastUse = .now
        apps[appID]?.pickers.removeAll { $0.picker == nil }
        apps[appID]?.pickers.append(WeakPicker(picker: picker))
        if let snapshot = apps[appID]?.snapshot { picker.update(snapshot) }
        return picker
    }

    func watch(_ appID: String) -> AsyncStream<Snapshot> {
        let (stream, continuation) = AsyncStream<Snapshot>.makeStream(
            bufferingPolicy: .bufferingNewest(1))
        follow(appID)
        watcherCount += 1
        let number = watcherCount
        continuation.onTermination = { _ in
            Task { await self.forget(number, of: appID) }
        }
        apps[appID]?.watchers.append((number, continuation))
        if let snapshot = apps[appID]?.snapshot { continuation.yield(snapshot) }
        return stream
    }

    private func forget(_ watcher: Int, of appID: String) {
        apps[appID]?.watchers.removeAll { $0.number == watcher }
        apps[appID]?.lastUse = .now
    }

}

extension DiscoveryClient {
    /// The instances of an app over time; see `DiscoveryClient.instances(of:)`.
    public struct Snapshots: AsyncSequence, Sendable {
        public typealias Element = Snapshot
        let client: DiscoveryClient
        let appID: String

        public struct AsyncIterator: AsyncIteratorProtocol {
            let client: DiscoveryClient
            let appID: String
            var stream: AsyncStream<Snapshot>.AsyncIterator?

            public mutating func next() async -> Snapshot? {
                if stream == nil { stream = await client.watch(appID).makeAsyncIterator() }
                return await stream?.next()
            }
        }

        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(client: client, appID: appID)
        }
    }
}
