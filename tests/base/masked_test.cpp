#include "drover/base/masked.hpp"

#include <gtest/gtest.h>

namespace drover {
namespace {

TEST(WithoutPasswords, NothingOfAPasswordIsLeft) {
  EXPECT_EQ(without_passwords("postgresql://u:secret@host:5432/db?x=1"),
            "postgresql://u:***@host:5432/db?x=1");
  EXPECT_EQ(without_passwords("http://u:a/b@c@host and https://v:x@y/"),
            "http://u:***@host and https://v:***@y/");
  EXPECT_EQ(without_passwords("http://:x@h"), "http://:***@h");
  EXPECT_EQ(without_passwords("host=h password=secret user=u"), "host=h password=*** user=u");
  EXPECT_EQ(without_passwords("password='a \\' b' user=u"), "password=*** user=u");
  EXPECT_EQ(without_passwords("postgresql://h/db?password=x&user=u"),
            "postgresql://h/db?password=***&user=u");
  EXPECT_EQ(without_passwords("could not translate host name \"rd@db\" to address"),
            "could not translate host name \"***@db\" to address");
}

TEST(WithoutPasswords, OtherTextStays) {
  for (const char* text :
       {"", "://", "http://127.0.0.1:8080/x", "http://user@host/", "password authentication failed",
        "FATAL: no such role \"a@b\"", "http://[::1]:80 mail a:b@c"}) {
    EXPECT_EQ(without_passwords(text), text);
  }
}

}  // namespace
}  // namespace drover
