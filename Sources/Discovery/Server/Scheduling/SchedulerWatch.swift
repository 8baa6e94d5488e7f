internal import DiscoveryCore
internal import DiscoveryWire
internal import Dispatch
internal import Logging
internal import Synchronization

/// Keeps the node's schedules what the scheduler folder says. Does nothing without a folder.
final class SchedulerWatch: Sendable {
    /// How many schedules are in effect, and how many files something is wrong with.
    struct Figures: Sendable {
        var schedules = 0
        /// Equal on nodes with the same schedules: 32 bits.
        var digest: UInt32 = 0
        var problems = 0
    }

    /// How soon a change of a file is seen: as soon as a person who has saved it looks.
    private static let interval = DispatchTimeInterval.seconds(1)

    private let logger: Logger
    private let files: Mutex<SchedulerFiles?>
    /// Of the last look: whoever wants to know does not wait for a disk.
    private let lastFigures = Mutex(Figures())
    private let queue = DispatchQueue(label: "discovery.scheduler")
    /// Held while changes are handed over.
    private let isStopped = Mutex(false)

    init(settings: SchedulerSettings, logger: Logger) {
        self.logger = logger
        let hasFolder = !settings.folder.isEmpty
        files = Mutex(
            hasFolder
                ? SchedulerFiles(folder: settings.folder, shape: settings.wireShape) : nil)
    }

    var figures: Figures { lastFigures.withLock { $0 } }

    /// Looks now, on the caller's thread, and from then on again and again on a queue of its own;
    /// `take` is called on the one and the other.
    func start(take: @escaping @Sendable ([Scheduled]) -> Void) {
        if files.withLock({ $0 == nil }) { return }
        look(take)
        queue.asyncAfter(deadline: .now() + SchedulerWatch.interval) { [self] in
            if !isStopped.withLock({ $0 }) { start(take: take) }
        }
    }

    /// `take` is not called any more when this returns. It does not wait for a disk that hangs.
    func stop() { isStopped.withLock { $0 = true } }

    private func look(_ take: ([Scheduled]) -> Void) {
        let (found, figures) = files.withLock { files in
            let found = files?.look()
            return (
                found,
                Figures(
                    schedules: files?.inEffect.count ?? 0, digest: files?.digest ?? 0,
                    problems: files?.problemCount ?? 0)
            )
        }
        lastFigures.withLock { $0 = figures }
        for news in found?.news ?? [] { tell(news) }
        guard let changes = found?.changes, !changes.isEmpty else { return }
        isStopped.withLock { isStopped in
            if !isStopped { take(changes) }
        }
    }

    private func tell(_ news: SchedulerFiles.News) {
        switch news {
        case .taken(let path, let app, let rules):
            logger.notice(
                "a schedule is in effect",
                metadata: fields(app, path).merging(["zones": "\(rules)"]) { $1 })
        case .dropped(let path, let app):
            logger.notice("a schedule is no longer in effect", metadata: fields(app, path))
        case .wrong(let path, let problem, let keeps):
            let kept = keeps ? "; what it said before stays in effect" : ""
            logger.error("scheduler: \(path): \(problem)\(kept)")
        }
    }

    private func fields(_ app: AppKey, _ path: String) -> Logger.Metadata {
        [
            "appid": "\(String(decoding: app.packed[app.appid.range], as: UTF8.self))",
            "env": "\(String(decoding: app.packed[app.env.range], as: UTF8.self))",
            "file": "\(path)",
        ]
    }
}

extension SchedulerSettings {
    var wireShape: SchedulerShape {
        switch shape {
        case .object: .object
        case .array: .array
        }
    }
}
