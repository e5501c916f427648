// libtorrent's piece_picker, its class alone, under the workloads of benches/picker, with the same seeds and units of work;
// scripts/rivals/picker compiles and starts it. It prints its version, and then a line for each workload: its name, a tab,
// and the nanoseconds of CPU time for one unit, the median of several runs, of which the first is not counted.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "libtorrent/bitfield.hpp"
#include "libtorrent/performance_counters.hpp"
#include "libtorrent/piece_block.hpp"
#include "libtorrent/piece_picker.hpp"
#include "libtorrent/version.hpp"

namespace lt = libtorrent;
using Pieces = lt::typed_bitfield<lt::piece_index_t>;

constexpr int PIECES = 10'000;
constexpr int BLOCKS = 16;
constexpr int PIECE_SIZE = BLOCKS * 16 * 1024;
constexpr std::int64_t ALL_BLOCKS = std::int64_t{PIECES} * BLOCKS;

struct SplitMix {
    std::uint64_t state;

    std::uint64_t next() {
        state += 0x9E3779B97F4A7C15;
        std::uint64_t z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    // The upper half of a draw times n.
    std::uint64_t below(std::uint64_t n) {
        return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * n) >> 64);
    }
};

// Every piece with probability 1/2: successive draws are words, lowest piece in the lowest bit.
Pieces half_of(std::uint64_t seed) {
    SplitMix random{seed};
    std::uint64_t word = 0;
    Pieces pieces(PIECES, false);
    for (int piece = 0; piece < PIECES; ++piece) {
        if (piece % 64 == 0) word = random.next();
        if (word >> (piece % 64) & 1) pieces.set_bit(lt::piece_index_t(piece));
    }
    return pieces;
}

std::vector<Pieces> halves(int peers) {
    std::vector<Pieces> all;
    for (int peer = 0; peer < peers; ++peer) all.push_back(half_of(0x5EED0000 + static_cast<std::uint64_t>(peer)));
    return all;
}

// The picker compares the addresses of peers and looks at nothing in them.
lt::torrent_peer* name_of(std::size_t peer) {
    static std::vector<std::uint64_t> names(1'000);
    return reinterpret_cast<lt::torrent_peer*>(&names.at(peer));
}

// The picker, and what its calls want besides.
struct Client {
    lt::piece_picker picker{std::int64_t{PIECES} * PIECE_SIZE, PIECE_SIZE};
    lt::counters counters;
    std::vector<lt::piece_index_t> suggested;
    std::vector<lt::piece_block> picked;
    int peers;

    explicit Client(std::vector<Pieces> const& all) : peers(static_cast<int>(all.size())) {
        picked.reserve(100);
        for (std::size_t peer = 0; peer < all.size(); ++peer) picker.inc_refcount(all[peer], name_of(peer));
    }

    // Chooses and marks nothing.
    void pick(Pieces const& pieces, std::size_t peer, int blocks) {
        picked.clear();
        picker.pick_pieces(pieces, picked, blocks, 0, name_of(peer), lt::piece_picker::rarest_first, suggested, peers,
                           counters);
    }
};

double cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double ns_of(std::function<void()> const& work) {
    double const begun = cpu_ns();
    work();
    return cpu_ns() - begun;
}

void report(std::string const& name, int runs, double units, std::function<double()> const& run) {
    std::vector<double> each;
    for (int count = 0; count <= runs; ++count) {
        double const ns = run();
        if (count > 0) each.push_back(ns / units);
    }
    std::sort(each.begin(), each.end());
    std::size_t const middle = each.size() / 2;
    double const median = each.size() % 2 == 1 ? each[middle] : (each[middle - 1] + each[middle]) / 2;
    std::printf("%s\t%.3f\n", name.c_str(), median);
    std::fflush(stdout);
}

// A0: 100,000 HAVEs for random pieces, after a first pick.
void haves(std::vector<Pieces> const& peers) {
    constexpr int HAVES = 100'000;
    SplitMix random{42};
    std::vector<lt::piece_index_t> list;
    for (int have = 0; have < HAVES; ++have) list.push_back(lt::piece_index_t(static_cast<int>(random.below(PIECES))));
    report("A0", 10, HAVES, [&] {
        Client client(peers);
        client.pick(peers[0], 0, 1);
        return ns_of([&] {
            for (auto const piece : list) client.picker.inc_refcount(piece, name_of(0));
        });
    });
}

// B2: a connection with half of the pieces comes, and the first pick after it; 20 times.
void joins(std::vector<Pieces> const& peers) {
    constexpr std::size_t ROUNDS = 20;
    std::uint64_t run = 0;
    report("B2", 10, ROUNDS, [&] {
        std::vector<Pieces> joiners;
        for (std::size_t round = 0; round < ROUNDS; ++round) joiners.push_back(half_of(0xABC00000 + 100 * run + round));
        run = (run + 1) % 15;
        Client client(peers);
        client.pick(peers[0], 0, 1);
        return ns_of([&] {
            for (std::size_t round = 0; round < ROUNDS; ++round) {
                std::size_t const asker = round % peers.size();
                client.picker.inc_refcount(joiners[round], name_of(peers.size() + round));
                client.pick(peers[asker], asker, 1);
            }
        });
    });
}

// C1: dry picks by all peers in turn, each far from its neighbours.
void picks(std::vector<Pieces> const& peers, int blocks) {
    constexpr std::size_t PICKS = 20'000;
    Client client(peers);
    report("C1 " + std::to_string(blocks), 10, PICKS, [&] {
        return ns_of([&] {
            for (std::size_t turn = 0; turn < PICKS; ++turn) {
                std::size_t const asker = 7919 * turn % peers.size();
                client.pick(peers[asker], asker, blocks);
            }
        });
    });
}

// C9: peer 1 alone has the lower half of the pieces; peer 0 asks.
void rare_half_missing(std::vector<Pieces> peers) {
    constexpr int PICKS = 2'000;
    for (std::size_t peer = 0; peer < peers.size(); ++peer) {
        for (int piece = 0; piece < PIECES / 2; ++piece) {
            lt::piece_index_t const index(piece);
            peer == 1 ? peers[peer].set_bit(index) : peers[peer].clear_bit(index);
        }
    }
    Client client(peers);
    report("C9", 10, PICKS, [&] {
        return ns_of([&] {
            for (int turn = 0; turn < PICKS; ++turn) client.pick(peers[0], 0, 16);
        });
    });
}

using Missing = std::vector<std::vector<lt::piece_index_t>>;

// The pieces each peer will announce, in order from the back.
Missing shuffled_missing(std::vector<Pieces> const& peers) {
    SplitMix random{0xD0D0};
    Missing missing(peers.size());
    for (std::size_t peer = 0; peer < peers.size(); ++peer) {
        for (int piece = 0; piece < PIECES; ++piece) {
            if (!peers[peer].get_bit(lt::piece_index_t(piece))) missing[peer].push_back(lt::piece_index_t(piece));
        }
    }
    for (auto& pieces : missing) {
        for (std::size_t last = pieces.size() - 1; last > 0; --last) {
            std::swap(pieces[last], pieces[random.below(last + 1)]);
        }
    }
    return missing;
}

// D: a whole download, all peers in turn, each with a first-in first-out queue of requests.
struct Download {
    static constexpr std::int64_t CHURN = 100;

    std::vector<Pieces> const& first_peers;
    Missing const& first_missing;
    std::size_t depth;
    bool with_haves, with_churn;
    Client client{first_peers};
    std::vector<Pieces> peers{first_peers};
    Missing missing{first_missing};
    std::vector<std::deque<lt::piece_block>> queues{first_peers.size()};
    std::int64_t arrived = 0;
    SplitMix chance{0xD0};

    double run() {
        return ns_of([this] {
            while (arrived < ALL_BLOCKS) {
                for (std::size_t peer = 0; peer < peers.size(); ++peer) turn(peer);
            }
        });
    }

    void turn(std::size_t peer) {
        auto& queue = queues[peer];
        if (queue.size() < depth) request(peer, depth - queue.size());
        if (queue.empty()) return;
        auto const block = queue.front();
        queue.pop_front();
        arrive(block, peer);
    }

    // Free blocks; one that others are asked for already only if there is nothing else at all.
    void request(std::size_t peer, std::size_t blocks) {
        auto& queue = queues[peer];
        client.pick(peers[peer], peer, static_cast<int>(blocks));
        lt::piece_block busy = lt::piece_block::invalid;
        for (auto const block : client.picked) {
            if (blocks == 0) break;
            if (client.picker.num_peers(block) > 0) {
                busy = block;
                break;
            }
            if (client.picker.mark_as_downloading(block, name_of(peer))) {
                queue.push_back(block);
                --blocks;
            }
        }
        if (!queue.empty() || busy == lt::piece_block::invalid) return;
        if (client.picker.mark_as_downloading(busy, name_of(peer))) queue.push_back(busy);
    }

    void arrive(lt::piece_block block, std::size_t peer) {
        auto& picker = client.picker;
        if (picker.num_peers(block) > 1) cancel_elsewhere(block, peer);
        if (!picker.mark_as_writing(block, name_of(peer))) {
            std::fprintf(stderr, "a block arrived twice\n");
            std::exit(1);
        }
        picker.mark_as_finished(block, name_of(peer));
        ++arrived;
        if (picker.is_piece_finished(block.piece_index)) {
            picker.piece_passed(block.piece_index);
            picker.we_have(block.piece_index);
        }
        if (with_haves) have();
        if (with_churn && arrived % CHURN == 0) leave_and_return();
    }

    void cancel_elsewhere(lt::piece_block block, std::size_t peer) {
        for (std::size_t other = 0; other < queues.size(); ++other) {
            auto const found = std::find(queues[other].begin(), queues[other].end(), block);
            if (other == peer || found == queues[other].end()) continue;
            queues[other].erase(found);
            client.picker.abort_download(block, name_of(other));
        }
    }

    void have() {
        std::size_t const peer = chance.below(peers.size());
        if (missing[peer].empty()) return;
        auto const piece = missing[peer].back();
        missing[peer].pop_back();
        peers[peer].set_bit(piece);
        client.picker.inc_refcount(piece, name_of(peer));
    }

    void leave_and_return() {
        std::size_t const peer = chance.below(peers.size());
        for (auto const block : queues[peer]) client.picker.abort_download(block, name_of(peer));
        queues[peer].clear();
        client.picker.dec_refcount(peers[peer], name_of(peer));
        if (with_haves) {
            peers[peer] = first_peers[peer];
            missing[peer] = first_missing[peer];
        }
        client.picker.inc_refcount(peers[peer], name_of(peer));
    }
};

int main() {
    std::printf("libtorrent\t%s\n", LIBTORRENT_VERSION);
    auto const swarm = halves(100);
    haves(swarm);
    joins(swarm);
    for (int const blocks : {1, 16, 32}) picks(swarm, blocks);
    rare_half_missing(swarm);
    auto const few = halves(50);
    auto const missing = shuffled_missing(few);
    for (int kind = 0; kind < 4; ++kind) {
        report("D" + std::to_string(kind), 5, static_cast<double>(ALL_BLOCKS), [&] {
            return Download{few, missing, 5, (kind & 1) != 0, (kind & 2) != 0}.run();
        });
    }
}
