#include "drover/services/pools.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace drover::services {
namespace {

Error no_pool(const std::string& name) {
  return not_found(fmt::format("there is no pool {}", name));
}

Error wrong_version(std::string message) {
  return Error{Errc::precondition_failed, std::move(message)};
}

bool fits(const Match& match, std::int64_t version) {
  return !match.given || match.any ||
         std::find(match.versions.begin(), match.versions.end(), version) != match.versions.end();
}

class EnginePools final : public Pools {
 public:
  EnginePools(engine::Engine& engine, ports::Reads& reads, const Clock& clock)
      : engine_(engine), reads_(reads), clock_(clock) {}

  Result<std::vector<ports::PoolRow>> list(const Principal& who) override;
  Result<ports::PoolRow> get(const Principal& who, const std::string& name) override;
  void create(const Principal& who, core::PoolSpec spec, engine::Done<PoolPut> done) override;
  void put(const Principal& who, core::PoolSpec spec, const Match& match,
           engine::Done<PoolPut> done) override;
  void edit(const Principal& who, const std::string& name, const Match& match, const Edit& edit,
            engine::Done<PoolPut> done) override;

 private:
  // `pinned`: a conflict if the pool was edited since it was read.
  void edit_present(const Principal& who, const std::string& name, const Match& match, const Edit& edit,
                    bool pinned, engine::Done<PoolPut> done);
  // The pool that is to be edited, if it has a version that was named.
  Result<ports::PoolRow> matching(const Principal& who, const std::string& name, const Match& match);
  void change(core::PoolSpec spec, std::optional<std::int64_t> version, bool create,
              engine::Done<PoolPut> done);

  engine::Engine& engine_;
  ports::Reads& reads_;
  const Clock& clock_;
};

Result<std::vector<ports::PoolRow>> EnginePools::list(const Principal& who) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return allowed.error();
  return reads_.pools();
}

Result<ports::PoolRow> EnginePools::get(const Principal& who, const std::string& name) {
  Result<std::vector<ports::PoolRow>> pools = list(who);
  if (!pools.ok()) return pools.error();
  const auto found =
      std::find_if(pools->begin(), pools->end(), [&](const auto& pool) { return pool.spec.name == name; });
  if (found == pools->end()) return no_pool(name);
  return std::move(*found);
}

void EnginePools::create(const Principal& who, core::PoolSpec spec, engine::Done<PoolPut> done) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return done(allowed.error());
  change(std::move(spec), {}, true, std::move(done));
}

void EnginePools::put(const Principal& who, core::PoolSpec spec, const Match& match,
                      engine::Done<PoolPut> done) {
  if (match.given) {
    const std::string name = spec.name;
    const auto whole = [spec = std::move(spec)](const core::PoolSpec&) { return spec; };
    return edit_present(who, name, match, whole, !match.any, std::move(done));
  }
  if (const Status allowed = may_operate(who); !allowed.ok()) return done(allowed.error());
  change(spec, {}, false, [this, spec, done = std::move(done)](Result<PoolPut> put) {
    const bool absent = !put.ok() && put.error().code == Errc::not_found;
    if (!absent) return done(std::move(put));
    change(spec, {}, true, [this, spec, done](Result<PoolPut> made) {
      // Somebody else has made it meanwhile: then it is there, and is replaced.
      const bool there = !made.ok() && made.error().code == Errc::conflict;
      there ? change(spec, {}, false, done) : done(std::move(made));
    });
  });
}

void EnginePools::edit(const Principal& who, const std::string& name, const Match& match, const Edit& edit,
                       engine::Done<PoolPut> done) {
  edit_present(who, name, match, edit, true, std::move(done));
}

void EnginePools::edit_present(const Principal& who, const std::string& name, const Match& match,
                               const Edit& edit, bool pinned, engine::Done<PoolPut> done) {
  const Result<ports::PoolRow> present = matching(who, name, match);
  if (!present.ok()) return done(present.error());
  Result<core::PoolSpec> spec = edit(present->spec);
  if (!spec.ok()) return done(spec.error());
  change(std::move(*spec), pinned ? std::optional(present->version) : std::nullopt, false,
         [asked = match.given, done = std::move(done)](Result<PoolPut> put) {
           const bool overtaken = !put.ok() && asked && put.error().code == Errc::conflict;
           done(overtaken ? Result<PoolPut>(wrong_version(put.error().message)) : std::move(put));
         });
}

Result<ports::PoolRow> EnginePools::matching(const Principal& who, const std::string& name,
                                             const Match& match) {
  Result<ports::PoolRow> present = get(who, name);
  if (!present.ok()) {
    if (!match.given || present.error().code != Errc::not_found) return present;
    return wrong_version(present.error().message);
  }
  if (fits(match, present->version)) return present;
  return wrong_version(
      fmt::format("the pool has version {}, which If-Match does not name; GET it and look before editing",
                  present->version));
}

void EnginePools::change(core::PoolSpec spec, std::optional<std::int64_t> version, bool create,
                         engine::Done<PoolPut> done) {
  engine_.apply(ports::PutPool{std::move(spec), create, version, "", clock_.wall()},
                [create, done = std::move(done)](Result<ports::PutPool::Answer> put) {
                  if (!put.ok()) return done(put.error());
                  done(PoolPut{std::move(put->pool), create});
                });
}

}  // namespace

std::unique_ptr<Pools> make_pools(engine::Engine& engine, ports::Reads& reads, const Clock& clock) {
  return std::make_unique<EnginePools>(engine, reads, clock);
}

}  // namespace drover::services
