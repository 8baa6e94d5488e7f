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
        /// What it said when it was right last.
        var scheduled: Scheduled?
        /// Why it cannot be read, or taken.
        var fault: String?
        /// The file that counts in its place.
        var rival: String?

        var problem: String? {
            fault ?? rival.map { "is for the same app_id and env as \($0), which counts" }
        }
    }

    /// Each is looked at once per second, and its schedule kept in memory.
    static let filesMax = 4096

    private let folder: Folder
    private let shape: SchedulerShape
    /// By name.
    private var files: [String: File] = [:]
    private var folderProblem: String?
    /// By application: the file that counts, and what it says.
    private(set) var inEffect: [AppKey: (name: String, schedule: ZoneSchedule?)] = [:]

    init(folder: String, shape: SchedulerShape) {
        self.folder = Folder(path: folder)
        self.shape = shape
    }

    /// Files, or the folder, that something is wrong with now.
    var problemCount: Int {
        files.values.count { $0.problem != nil } + (folderProblem == nil ? 0 : 1)
    }

    /// Looks at the folder. What is different since the last time, for the node and for the
    /// operator.
    mutating func look() -> (changes: [Scheduled], news: [News]) {
        var news: [News] = []
        let names: [String]
        do throws(TextFileError) {
            let found = try folder.names(endingIn: ".json", countMax: SchedulerFiles.filesMax)
            names = found.names
            setFolderProblem(
                found.isCut ? "it has more than \(SchedulerFiles.filesMax) files" : nil, &news)
        } catch {
            // It may be back in a moment; nothing is dropped.
            setFolderProblem("cannot be read: \(error)", &news)
            return ([], news)
        }
        let problems = files.mapValues(\.problem)
        let present = Set(names)
        var isChanged = !files.keys.allSatisfy(present.contains)
        if isChanged { files = files.filter { present.contains($0.key) } }
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

    private mutating func setFolderProblem(_ problem: String?, _ news: inout [News]) {
        if let problem, problem != folderProblem {
            news.append(.wrong(path: folder.path, problem: problem, keeps: !inEffect.isEmpty))
        }
        folderProblem = problem
    }

    /// Reads a file if it is another one than it was; whether it is.
    private mutating func read(_ name: String) -> Bool {
        var file = files[name] ?? File()
        do throws(TextFileError) {
            let stamp = try folder.stamp(of: name)
            if stamp == file.stamp { return false }
            file.stamp = stamp
            let text = try TextFile.read(
                folder.path(of: name), bytesMax: ScheduleReader.bytesMax)
            do throws(Rejection) {
                file.scheduled = try ScheduleReader.read(text.utf8.span, shape: shape)
                file.fault = nil
            } catch {
                file.fault = error.message
            }
        } catch {
            let fault = "cannot be read: \(error)"
            if file.fault == fault, file.stamp == nil { return false }
            file.stamp = nil
            file.fault = fault
        }
        files[name] = file
        return true
    }

    /// Which file counts for which application: of several the first by name.
    private mutating func decide(_ names: [String], _ news: inout [News]) -> [Scheduled] {
        var wanted: [AppKey: (name: String, schedule: ZoneSchedule?)] = [:]
        for name in names {
            guard let scheduled = files[name]?.scheduled else { continue }
            let rival = wanted[scheduled.app]?.name
            files[name]?.rival = rival
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
