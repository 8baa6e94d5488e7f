internal import DiscoveryCore
internal import DiscoveryWire

/// The operator's schedules: a folder of JSON files, one for each application and env.
///
/// What is wrong with a file is told once, and what was right in it before stays in effect: a slip
/// while somebody edits must not move the traffic.
struct SchedulerFiles {
    /// Something to tell the operator.
    enum News: Equatable {
        case taken(path: String, app: AppKey, rules: Int)
        case dropped(path: String, app: AppKey)
        /// `keeps`: what the file said before stays in effect.
        case wrong(path: String, problem: String, keeps: Bool)
    }

    private struct File {
        var stamp: Folder.Stamp?
        /// Whether it was read again a look after this stamp was first seen: two changes of one
        /// moment have one stamp.
        var isSettled = false
        /// It was not in the folder at the last look. Some editors, and who deploys by removing and
        /// copying, take a file away for a moment.
        var isMissing = false
        /// What it said when it was right last.
        var scheduled: Scheduled?
        /// Why it cannot be read, or taken.
        var fault: String?
        /// The file that counts in its place.
        var rival: String?

        mutating func take(_ content: Result<Scheduled, Rejection>) {
            switch content {
            case .success(let scheduled): (self.scheduled, fault) = (scheduled, nil)
            case .failure(let rejection): fault = rejection.message
            }
        }

        var problem: String? {
            fault ?? rival.map { "is for the same app_id and env as \($0), which counts" }
        }
    }

    /// Names that are read; a folder with more is another one than was meant.
    private static let namesMax = 65_536

    private let folder: Folder
    private let shape: SchedulerShape
    /// Each is looked at once per second, and its schedule kept in memory.
    private let filesMax: Int
    /// By name.
    private var files: [String: File] = [:]
    private var folderProblem: String?
    /// By application: the file that counts, and what it says.
    private(set) var inEffect: [AppKey: (name: String, schedule: ZoneSchedule?)] = [:]

    init(folder: String, shape: SchedulerShape, filesMax: Int = 4096) {
        self.folder = Folder(path: folder)
        self.shape = shape
        self.filesMax = filesMax
    }

    /// Files, or the folder, that something is wrong with now.
    var problemCount: Int {
        files.values.count { $0.problem != nil } + (folderProblem == nil ? 0 : 1)
    }

    /// Equal on nodes with the same schedules, whatever their files are called.
    var digest: UInt32 {
        let digest = inEffect.reduce(UInt64(0)) { digest, entry in
            digest ^ (entry.value.schedule?.digest(of: entry.key) ?? 0)
        }
        return UInt32(truncatingIfNeeded: digest)
    }

    /// Looks at the folder. What is different since the last time, for the node and for the
    /// operator.
    mutating func look() -> (changes: [Scheduled], news: [News]) {
        var news: [News] = []
        let found: [String]
        do throws(TextFileError) {
            found = try folder.names(endingIn: ".json", countMax: SchedulerFiles.namesMax)
        } catch {
            // It may be back in a moment; nothing is dropped.
            setFolderProblem("cannot be read: \(error)", &news)
            return ([], news)
        }
        let problems = files.mapValues(\.problem)
        var isChanged = dropMissing(Set(found))
        let names = limited(found)
        let more = found.count - names.count
        setFolderProblem(
            found.count <= filesMax
                ? nil : "it has more than \(filesMax) files; not read: \(more)", &news)
        for name in names where read(name) { isChanged = true }
        guard isChanged else { return ([], news) }
        let changes = decide(names, &news)
        for name in names {
            guard let file = files[name], let problem = file.problem,
                problems[name].flatMap({ $0 }) != problem
            else { continue }
            news.append(
                .wrong(
                    path: folder.path(of: name), problem: problem,
                    keeps: inEffect.values.contains { $0.name == name }))
        }
        return (changes, news)
    }

    /// As many as may be: those that are known stay, so that no new one takes a place.
    private func limited(_ names: [String]) -> [String] {
        let new = names.filter { files[$0] == nil }
        // What is only missing for the moment keeps its place too.
        let room = max(0, filesMax - files.count)
        if new.count <= room { return names }
        return (names.filter { files[$0] != nil } + new.prefix(room)).sorted()
    }

    /// Forgets files that have been missing for two looks; whether there are any.
    private mutating func dropMissing(_ present: Set<String>) -> Bool {
        let before = files.count
        files = files.filter { present.contains($0.key) || !$0.value.isMissing }
        var isChanged = files.count < before
        for name in files.keys {
            let isMissing = !present.contains(name)
            if files[name]?.isMissing != isMissing { isChanged = true }
            files[name]?.isMissing = isMissing
        }
        return isChanged
    }

    private mutating func setFolderProblem(_ problem: String?, _ news: inout [News]) {
        if let problem, problem != folderProblem {
            news.append(.wrong(path: folder.path, problem: problem, keeps: !inEffect.isEmpty))
        }
        folderProblem = problem
    }

    /// Reads a file if it is another one than it was; whether it is.
    private mutating func read(_ name: String) -> Bool {
        let before = files[name]
        var file = before ?? File()
        do throws(TextFileError) {
            let stamp = try folder.stamp(of: name)
            if stamp == file.stamp, file.isSettled { return false }
            file.isSettled = stamp == file.stamp
            file.stamp = stamp
            file.take(try content(of: name))
        } catch {
            // There is no stamp to tell a new attempt by.
            let fault = "cannot be read: \(error)"
            if before?.fault == fault, before?.stamp == nil { return false }
            file.stamp = nil
            file.fault = fault
        }
        files[name] = file
        return true
    }

    /// What the file says, or what is wrong with it. Throws only what the next look may find mended
    /// though the stamp stays.
    private func content(
        of name: String
    ) throws(TextFileError) -> Result<Scheduled, Rejection> {
        do throws(TextFileError) {
            let text = try TextFile.read(
                folder.path(of: name), bytesMax: ScheduleReader.bytesMax)
            do throws(Rejection) {
                return .success(try ScheduleReader.read(text.utf8.span, shape: shape))
            } catch {
                return .failure(error)
            }
        } catch {
            if case .system = error { throw error }
            return .failure(Rejection("cannot be read: \(error)"))
        }
    }

    /// Which file counts for which application: of several the first by name, but the one that is
    /// in effect as long as it is only missing for the moment.
    private mutating func decide(_ names: [String], _ news: inout [News]) -> [Scheduled] {
        let missing = files.keys.filter { files[$0]?.isMissing == true }.sorted()
        let counting = Set(inEffect.values.map(\.name))
        var wanted: [AppKey: (name: String, schedule: ZoneSchedule?)] = [:]
        for name in missing.filter(counting.contains) + names {
            guard let scheduled = files[name]?.scheduled else { continue }
            let rival = wanted[scheduled.app]?.name
            // Nothing is wrong with what is not there, or stands in for what is not.
            let isAlone = [name, rival ?? name].contains { files[$0]?.isMissing == true }
            files[name]?.rival = isAlone ? nil : rival
            if rival == nil { wanted[scheduled.app] = (name, scheduled.schedule) }
        }
        var changes: [Scheduled] = []
        for (app, now) in wanted.sorted(by: { $0.value.name < $1.value.name })
        where inEffect[app]?.schedule != now.schedule {
            changes.append(Scheduled(app: app, schedule: now.schedule))
            news.append(
                .taken(
                    path: folder.path(of: now.name), app: app,
                    rules: now.schedule?.rules.count ?? 0))
        }
        for (app, before) in inEffect.sorted(by: { $0.value.name < $1.value.name })
        where wanted[app] == nil {
            changes.append(Scheduled(app: app, schedule: nil))
            news.append(.dropped(path: folder.path(of: before.name), app: app))
        }
        inEffect = wanted
        return changes
    }
}
