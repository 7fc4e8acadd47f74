import Admin
import Clicks
import GeoIP
import Linux
import Synchronization

/// The country table in use, loaded again when its file changes. Shared: pumps ask for the table
/// once a batch, upkeep looks after the file.
final class Countries: Sendable {
    private struct State {
        var table: CountryTable?
        /// The file as it was when it was last tried, whatever came of it.
        var tried: File.Identity?
        var loads = 0
        var failures = 0
        var problem: String?
    }

    private let path: String?
    private let state = Mutex(State())

    /// Loads the file; a bad one is reported and tried again once it has changed.
    /// - Parameter path: nil for no countries at all.
    init(path: String?) {
        self.path = path
        reloadIfChanged()
    }

    /// Nil while none could be loaded.
    var table: CountryTable? { state.withLock { $0.table } }

    /// For /metrics.
    var report: (isLoaded: Bool, nodes: Int, loads: Int, failures: Int) {
        state.withLock { ($0.table != nil, $0.table?.nodeCount ?? 0, $0.loads, $0.failures) }
    }

    /// Loads the file if it is not the one tried last: one stat(2) if it is. Whatever is wrong with
    /// the new one, the table before serves on.
    func reloadIfChanged() {
        guard let path else { return }
        let identity = File.identity(of: path)
        guard identity == nil || state.withLock({ $0.tried != identity }) else { return }
        let loaded: Result<CountryTable, GeoIPError>
        do throws(GeoIPError) {
            loaded = .success(try CountryTable(contentsOf: path))
        } catch {
            loaded = .failure(error)
        }
        switch loaded {
        case .success(let table):
            state.withLock { state in
                state.table = table
                state.tried = identity
                state.loads += 1
                state.problem = nil
            }
            Log.info("countries loaded", [("file", path), ("nodes", "\(table.nodeCount)")])
        case .failure(let error):
            let isNews = state.withLock { state in
                let isNews = state.problem != "\(error)" || state.tried != identity
                state.tried = identity
                state.problem = "\(error)"
                if isNews { state.failures += 1 }
                return isNews
            }
            if isNews {
                Log.error("countries not loaded", [("file", path), ("reason", "\(error)")])
            }
        }
    }
}
