#include <gtest/gtest.h>

#include <boxgram/base/slab.hpp>

namespace boxgram::base {
namespace {

TEST(Slab, GivesNothingBeyondItsCapacity) {
  Slab<int> slab(2);
  Handle a = 0;
  Handle b = 0;
  Handle c = 0;
  ASSERT_NE(slab.acquire(a), nullptr);
  ASSERT_NE(slab.acquire(b), nullptr);
  EXPECT_EQ(slab.acquire(c), nullptr);
  slab.release(a);
  EXPECT_NE(slab.acquire(c), nullptr);
  EXPECT_EQ(slab.size(), 2u);
}

TEST(Slab, AHandleNeverNamesALaterTenant) {
  Slab<int> slab(1);
  Handle first = 0;
  *slab.acquire(first) = 1;
  slab.release(first);
  EXPECT_EQ(slab.find(first), nullptr);
  Handle second = 0;
  *slab.acquire(second) = 2;
  EXPECT_EQ(slab.find(first), nullptr);
  ASSERT_NE(slab.find(second), nullptr);
  EXPECT_EQ(*slab.find(second), 2);
  EXPECT_EQ(slab.find(0), nullptr) << "0 is never a handle";
}

TEST(Slab, AddressesStayWhileItGrows) {
  Slab<int> slab(1000);
  Handle handle = 0;
  int* first = slab.acquire(handle);
  for (int i = 1; i < 1000; ++i) {
    Handle other = 0;
    ASSERT_NE(slab.acquire(other), nullptr);
  }
  EXPECT_EQ(slab.find(handle), first);
}

}  // namespace
}  // namespace boxgram::base
