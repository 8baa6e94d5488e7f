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
    var turns: [String: [CheckedContinuation<Void, Never>]] = [:]
    let kept = AsyncStream<Kept>.makeStream()
    var registrationCount = 0

    /// By appid, in the order they were first asked for.
    var apps: [App]
    /// By number of the poll, one for each `appsPerPoll` of `apps`.
    var polls: [Poll] = [Poll()]
    private let begun = AsyncStream<Int>.makeStream()
    private var watcherCount = 0
    var isLeaving = false
    /// Whether the last poll was not answered.
    var isLost = false

    /// A registration that is kept alive.
    struct Held {
        var registration: Registration
        /// Tells it from an earlier one of the same app.
        let number: Int
    }

    struct Kept {
        let appID: String
        let number: Int
    }

    struct App {
        let appID: String
        /// The timestamp that the present node gave; 0: none yet.
        var latest: Int64 = 0
        var snapshot: Snapshot?
        var watchers: [(number: Int, continuation: AsyncStream<Snapshot>.Continuation)] = []
        fileprivate var pickers: [WeakPicker] = []

        init(appID: String) { self.appID = appID }

        mutating func publish(_ snapshot: Snapshot) {
            // Another node says the same.
            let isNews = snapshot.differs(from: self.snapshot)
            self.snapshot = snapshot
            if !isNews { return }
            // Whoever is told may pick at once.
            for held in pickers { held.picker?.update(snapshot) }
            for watcher in watchers { watcher.continuation.yield(snapshot) }
        }
    }

    fileprivate struct WeakPicker {
        weak var picker: Picker?
    }

    /// One of the polls.
    struct Poll {
        var task: Task<RegistryAPI.Polled, any Error>?
        /// The node that gave the timestamps of its apps.
        var node: String?
    }

    static let nodesAppID = "infra.discovery"
    /// A node takes 200 unless its operator has changed that, and a request line of 16 KB.
    static let appsPerPoll = 100

    /// `httpClient` stays the caller's, who shuts it down after the service has ended. If it has a
    /// read timeout, that has to be longer than `pollTimeout`. Throws
    /// `DiscoveryError.misconfigured`.
    public init(
        _ configuration: ClientConfiguration, httpClient: HTTPClient = .shared,
        logger: Logger = Logger(label: "discovery.client")
    ) throws {
        try self.init(
            configuration,
            transport: AsyncHTTPTransport(
                client: httpClient, answerBytesMax: configuration.answerBytesMax),
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
        apps = [App(appID: DiscoveryClient.nodesAppID)]
    }

    // MARK: Service

    /// Renews and polls until the service group shuts down, or the task is cancelled; then cancels
    /// what was registered, and goes on for `drainTime`. Once per client.
    public func run() async {
        begun.continuation.yield(0)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepRegistrations() }
            group.addTask { await self.keepPolling() }
            group.addTask {
                do { try await gracefulShutdown() } catch {}
            }
            _ = await group.next()
            group.cancelAll()
        }
        isLeaving = true
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
        apps.first { $0.appID == appID }?.snapshot
    }

    /// Picks instances of an app for as long as it is held. It is empty until the registry has
    /// answered; `instances(of:)` tells when.
    public func picker(for appID: String, _ options: Picker.Options = Picker.Options()) -> Picker {
        let picker = Picker(zone: configuration.zone, options: options)
        let index = follow(appID)
        apps[index].pickers.removeAll { $0.picker == nil }
        apps[index].pickers.append(WeakPicker(picker: picker))
        if let snapshot = apps[index].snapshot { picker.update(snapshot) }
        return picker
    }

    func watch(_ appID: String) -> AsyncStream<Snapshot> {
        let (stream, continuation) = AsyncStream<Snapshot>.makeStream(
            bufferingPolicy: .bufferingNewest(1))
        let index = follow(appID)
        watcherCount += 1
        let number = watcherCount
        continuation.onTermination = { _ in
            Task { await self.forget(number, of: appID) }
        }
        apps[index].watchers.append((number, continuation))
        if let snapshot = apps[index].snapshot { continuation.yield(snapshot) }
        return stream
    }

    private func forget(_ watcher: Int, of appID: String) {
        guard let index = apps.firstIndex(where: { $0.appID == appID }) else { return }
        apps[index].watchers.removeAll { $0.number == watcher }
    }

    /// The app is polled for from now on: the poll under way is given up for one with the app.
    private func follow(_ appID: String) -> Int {
        if let known = apps.firstIndex(where: { $0.appID == appID }) { return known }
        apps.append(App(appID: appID))
        let index = apps.count - 1
        let number = index / DiscoveryClient.appsPerPoll
        if number == polls.count {
            polls.append(Poll())
            begun.continuation.yield(number)
        }
        polls[number].task?.cancel()
        return index
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
