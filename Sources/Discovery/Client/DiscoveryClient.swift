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

    /// By appid.
    private var registrations: [String: Held] = [:]
    private let kept = AsyncStream<Kept>.makeStream()
    private var registrationCount = 0

    /// By appid, in the order they were first asked for.
    var apps: [App]
    /// The poll under way.
    var poll: Task<RegistryAPI.Polled, any Error>?
    /// The node that gave the timestamps of `apps`.
    var polledNode: String?
    private var watcherCount = 0
    private var hasEnded = false
    /// Whether the last poll was not answered.
    var isLost = false

    /// A registration that is kept alive.
    private struct Held {
        var registration: Registration
        /// Tells it from an earlier one of the same app.
        let number: Int
    }

    private struct Kept {
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
            self.snapshot = snapshot
            // Whoever is told may pick at once.
            for held in pickers { held.picker?.update(snapshot) }
            for watcher in watchers { watcher.continuation.yield(snapshot) }
        }
    }

    fileprivate struct WeakPicker {
        weak var picker: Picker?
    }

    static let nodesAppID = "infra.discovery"

    /// `httpClient` stays the caller's, who shuts it down after the service has ended.
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
        guard !configuration.nodes.isEmpty else {
            throw DiscoveryError.misconfigured("no node of the registry is configured")
        }
        self.configuration = configuration
        self.logger = logger
        self.random = random
        api = RegistryAPI(transport: transport, configuration: configuration)
        nodes = NodeList(seeds: configuration.nodes, random: random)
        apps = [App(appID: DiscoveryClient.nodesAppID)]
    }

    // MARK: Service

    /// Renews and polls until the service group shuts down, or the task is cancelled; then cancels
    /// what was registered. Once per client.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepRegistrations() }
            group.addTask { await self.pollForEver() }
            group.addTask {
                do { try await gracefulShutdown() } catch {}
            }
            _ = await group.next()
            group.cancelAll()
        }
        hasEnded = true
        for index in apps.indices {
            for watcher in apps[index].watchers { watcher.continuation.finish() }
        }
        // The task may be cancelled; the registry is to hear of it all the same.
        await Task { await self.leave() }.value
    }

    private func leave() async {
        for appID in registrations.keys.sorted() {
            do { try await cancel(appID) } catch {
                logger.warning(
                    "not cancelled: its lease will end it",
                    metadata: ["appid": "\(appID)", "reason": "\(error)"])
            }
        }
    }

    // MARK: Providers

    /// Registers an instance of this program, and keeps it registered while `run` runs: it is
    /// renewed, and registered again if the registry has lost it. Registering an app again replaces
    /// what was registered. Throws if no node takes it.
    public func register(_ registration: Registration) async throws {
        try await ask { try await $0.register(registration, at: $1) }
        registrationCount += 1
        registrations[registration.appID] = Held(
            registration: registration, number: registrationCount)
        kept.continuation.yield(Kept(appID: registration.appID, number: registrationCount))
        logger.info("registered", metadata: ["appid": "\(registration.appID)"])
    }

    /// Changes status or metadata of what this program has registered: metadata is laid over what
    /// is there.
    public func set(
        _ appID: String, status: InstanceStatus? = nil, metadata: [String: String]? = nil
    ) async throws {
        guard let held = registrations[appID] else {
            throw DiscoveryError.notRegistered(appID: appID)
        }
        try await ask { try await $0.set(appID, status: status, metadata: metadata, at: $1) }
        // What would be registered again, should the registry lose it.
        guard registrations[appID]?.number == held.number else { return }
        if let status { registrations[appID]?.registration.status = status }
        for (key, value) in metadata ?? [:] {
            registrations[appID]?.registration.metadata[key] = value
        }
    }

    /// Takes an instance of this program out of the registry. Throws if no node answers; it is
    /// renewed no more in any case, so its lease ends it.
    public func cancel(_ appID: String) async throws {
        guard registrations.removeValue(forKey: appID) != nil else {
            throw DiscoveryError.notRegistered(appID: appID)
        }
        try await ask(accepting: [-404]) { try await $0.cancel(appID, at: $1) }
        logger.info("cancelled", metadata: ["appid": "\(appID)"])
    }

    /// Asks one node after the other until one answers what it is asked, or that it is wrong.
    private func ask(
        accepting codes: [Int] = [],
        _ question: (RegistryAPI, String) async throws -> RegistryAnswer
    ) async throws {
        var reasons: [String: String] = [:]
        for node in nodes.all {
            do {
                let answer = try await question(api, node)
                if answer.code == 0 || codes.contains(answer.code) { return }
                // Only the request can be wrong; the rest is a matter of this node.
                if answer.code == -400 || answer.code == -404 || answer.code == -403 {
                    throw DiscoveryError.refused(code: answer.code, message: answer.message)
                }
                reasons[node] = "code \(answer.code), \(answer.message)"
            } catch let error as DiscoveryError {
                throw error
            } catch {
                try Task.checkCancellation()
                reasons[node] = "\(error)"
            }
            nodes.moveOn(from: node)
        }
        throw DiscoveryError.unreachable(reasons)
    }

    /// One task for each registration there ever was; those that were replaced end.
    private func keepRegistrations() async {
        await withDiscardingTaskGroup { group in
            for await kept in kept.stream {
                group.addTask { await self.keep(kept.appID, kept.number) }
            }
        }
    }

    private func keep(_ appID: String, _ number: Int) async {
        var backoff = Backoff()
        var pause = renewalPause()
        while registrations[appID]?.number == number {
            do { try await Task.sleep(for: pause) } catch { return }
            guard let held = registrations[appID], held.number == number else { return }
            do {
                try await renew(held.registration)
                backoff.reset()
                pause = renewalPause()
            } catch is CancellationError {
                return
            } catch {
                pause = min(backoff.pause(using: &random), renewalPause())
                logger.warning(
                    "not renewed; tried again soon",
                    metadata: ["appid": "\(appID)", "reason": "\(error)"])
            }
        }
    }

    private func renewalPause() -> Duration {
        configuration.renewInterval * Double.random(in: 0.9...1, using: &random)
    }

    private func renew(_ registration: Registration) async throws {
        do {
            try await ask { try await $0.renew(registration.appID, at: $1) }
        } catch DiscoveryError.refused(code: -404, _) {
            // The registry does not know it: it has lost it, or never had it.
            try await ask { try await $0.register(registration, at: $1) }
            logger.notice("registered again", metadata: ["appid": "\(registration.appID)"])
        }
    }

    // MARK: Consumers

    /// The instances of an app, as often as they change, the present ones first. It ends with the
    /// service. Whoever is slow gets the latest.
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
        if hasEnded { continuation.finish() }
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
        poll?.cancel()
        return apps.count - 1
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
